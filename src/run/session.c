/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One traced run, step by step. See session.h. */
#include "session.h"

#include <string.h>

#include "../protocol/words.h"
#include "../vm/qemu.h"
#include "metadata.h"
#include "session_private.h"

#define PLUGIN_TIMEOUT_S 30
#define STOP_PATIENCE_MS 2000
#define STOP_PATIENCE_WRITABLE_MS 10000 /* where files of this machine may not be written to their end otherwise */
#define END_PATIENCE_S 2

/* While it is traced. */

static char *status_text(void *data)
{
    Session *session = data;
    gint64 now_us = g_get_monotonic_time();
    g_autofree char *dropped = NULL;
    RingCounts counts;
    double rate;

    if (!session->ring || ring_get_state(session->ring) < RING_TRACING)
        return NULL;
    counts = ring_get_counts(session->ring);
    rate = session->status_us ? (double)(counts.events - session->status_events) / (double)(now_us - session->status_us)
                              : 0;
    session->status_us = now_us;
    session->status_events = counts.events;
    if (counts.dropped)
        dropped = g_strdup_printf(", %.1f M dropped", (double)counts.dropped / 1e6);
    return g_strdup_printf("%.1f M accesses, %.1f M/s%s", (double)counts.events / 1e6, rate, dropped ? dropped : "");
}

static bool workload_has_ended(void *data)
{
    Session *session = data;
    const GuestWorkload *workload = guest_workload(session->guest);

    destination_watch(session->destination);
    return workload->exited ||
           (session->options->workload.speaks && workload->traced && !workload->times.never_stopped);
}

static bool workload_is_done(void *data)
{
    Session *session = data;

    watch_guest(&session->watch, session->options, guest_qemu(session->guest), session->loop);
    return workload_has_ended(session) || run_loop_stop_reason(session->loop);
}

/* Whether anything was traced before somebody asked us to stop: else that is all there is to say. */
static bool has_trace(const Session *session, GError **error)
{
    if (!session_is_traced(session) || ring_get_state(session->ring) == RING_STOPPED)
        return true;
    g_propagate_error(error, g_error_copy(run_loop_stop_reason(session->loop)));
    return false;
}

static bool has_writable_folders(const Session *session)
{
    const char *const *folders = session->options->workload.writable;

    return folders && *folders;
}

/*
 * Somebody has asked us to stop. The agent ends the workload and the trace, or, if it doesn't answer, QEMU stops; if it
 * doesn't either, it is killed. In any case the ring then holds all there will be.
 */
static bool stop_early(Session *session, GError **error)
{
    const WaitFor wait = { .done = workload_has_ended,
                           .data = session,
                           .what = "the workload to be stopped",
                           .patience_ms = has_writable_folders(session) ? STOP_PATIENCE_WRITABLE_MS : STOP_PATIENCE_MS,
                           .poll_ms = 5 };
    Qemu *qemu = guest_qemu(session->guest);

    session->stopped_early = true;
    guest_stop(session->guest);
    if (run_loop_wait(session->loop, &wait, error))
        return has_trace(session, error);
    if (*error)
        return false;
    session->guest_is_halted = true;
    if (qemu && !qemu_halt(qemu, STOP_PATIENCE_MS))
        qemu_end(qemu, 0);
    if (session->ring && ring_get_state(session->ring) == RING_TRACING)
        ring_set_state(session->ring, RING_STOPPED);
    return has_trace(session, error);
}

static bool is_armed(void *data)
{
    return ring_get_state(((Session *)data)->ring) != RING_ASLEEP;
}

/* Makes the plugin look for the start marker. It looks when a vCPU wakes up; a pause makes one wake up for certain. */
static bool arm(Session *session, GError **error)
{
    const WaitFor wait = {
        .done = is_armed, .data = session, .what = "the plugin", .timeout_s = PLUGIN_TIMEOUT_S, .poll_ms = 1
    };
    Qemu *qemu = guest_qemu(session->guest);
    g_autoptr(JsonNode) stopped = NULL, continued = NULL;

    if (is_armed(session))
        return true;
    ring_arm(session->ring);
    stopped = qemu_execute(qemu, "stop", NULL, error);
    continued = stopped ? qemu_execute(qemu, "cont", NULL, error) : NULL;
    return continued && run_loop_wait(session->loop, &wait, error);
}

static bool trace(Session *session, GError **error)
{
    const WaitFor wait = { .done = workload_is_done,
                           .data = session,
                           .what = session->options->workload.speaks ? "the workload to print \"" WORDS_STOP "\""
                                                                     : "the workload to end",
                           .expected = true };

    if (session_is_traced(session) && !arm(session, error))
        return false;
    if (session_is_traced(session) && !ring_vcpus_are_known(session->ring))
        run_loop_note(session->loop, "all vCPUs run in one thread, and the guest doesn't tell which is which: "
                                     "all records say vCPU 0");
    run_loop_set_status(session->loop, status_text, session);
    run_loop_set_stoppable(session->loop, true);
    watch_begin(&session->watch);
    guest_enter(session->guest);
    if (!run_loop_wait(session->loop, &wait, error))
        return false;
    if (run_loop_stop_reason(session->loop))
        return stop_early(session, error);
    if (!guest_workload(session->guest)->traced)
        return mt_fail(error, "the workload has ended before it was traced: after \"" WORDS_READY
                              "\" it must wait for a line of input");
    return !guest_workload(session->guest)->times.never_stopped ||
           guest_ended_too_early(session->guest, WORDS_STOP, error);
}

/* All of it. */

static void take_results(Session *session, SessionResult *result)
{
    const GuestWorkload *workload = guest_workload(session->guest);

    result->workload_info = workload->info;
    result->exited = workload->exited;
    result->timed_out = workload->exit.timed_out;
    result->signal = (int)workload->exit.signal;
    result->status = (int)workload->exit.status;
    result->until_succeeded = workload->exit.until_succeeded;
    result->out_of_memory = workload->exit.out_of_memory;
    result->guest_ram_mb = session->setup.machine ? session->setup.machine->ram_mb : 0;
    result->last_words = guest_last_words(session->guest);
    result->guest_ns = workload->times.elapsed_ns;
    result->traced_ns = session_is_traced(session) ? ring_traced_ns(session->ring) : workload->times.elapsed_ns;
    if (session->ring) {
        result->counts = ring_get_counts(session->ring);
        result->regions = ring_regions(session->ring);
        result->open_regions = ring_open_regions(session->ring);
        result->ignored_markers = ring_ignored_markers(session->ring);
        result->lost_changes = ring_lost_changes(session->ring);
    }
    result->analysis_output = destination_tool_output(session->destination);
    result->analyses = destination_analyses(session->destination);
    result->stopped = run_loop_stop_reason(session->loop);
    result->ended_by = session->stopped_early ? result->stopped->message : NULL;
}

Session *session_new(const SessionOptions *options)
{
    Session *session = g_new0(Session, 1);

    session->options = options;
    session->loop = run_loop_new(options->verbose);
    return session;
}

static bool start(Session *session, GError **error)
{
    if (session->options->native) {
        session->guest = guest_start_native(&session->options->workload, session->loop, error);
        return session->guest;
    }
    for (const char *const *note = session->options->notes; note && *note; note++)
        run_loop_note(session->loop, "%s", *note);
    return session_start_guest(session, error);
}

bool session_names_code(const Session *session)
{
    const DestinationOptions *options = &session->options->destination;

    return options->kind == DESTINATION_TRACE ||
           (options->kind == DESTINATION_ANALYSES && live_analyses_need_names(&options->analyses));
}

static RecordingFacts known_facts(const Session *session)
{
    return (RecordingFacts){ .kallsyms = session->kernel.kallsyms,
                             .modules = session->kernel.modules,
                             .iomem = session->kernel.iomem,
                             .libraries = guest_workload(session->guest)->libraries,
                             .code = session->code,
                             .sees_host = session->options->workload.sees_host };
}

static bool start_destination(Session *session, GError **error)
{
    const DestinationOptions *options = &session->options->destination;
    const GuestWorkload *workload = guest_workload(session->guest);
    g_autofree char *metadata = options->kind == DESTINATION_TRACE
                                    ? metadata_of_run(session->options, session->setup.snapshot, session->setup.machine,
                                                      qemu_version(guest_qemu(session->guest)))
                                    : NULL;
    RecordingFacts facts;

    if (session_names_code(session))
        session->code = known_code_new(&session->workload, workload->libraries);
    if (session->code && options->embed_debug)
        known_code_embed_debug(session->code);
    facts = known_facts(session);
    facts.metadata = metadata;
    session->destination =
        destination_start(options, session->ring, workload->info, &facts, session->folder->path, session->loop, error);
    return session->destination;
}

static bool finish_trace(Session *session, SessionResult *result, GError **error)
{
    g_autofree char *metadata = metadata_of_result(result);

    if (!destination_finish_trace(session->destination, metadata, error))
        return false;
    result->trace_bytes = destination_trace_bytes(session->destination);
    result->missing_code = known_code_missing(session->code);
    result->debug_bytes = known_code_debug_bytes(session->code);
    result->debug_left_out = known_code_left_out(session->code);
    return true;
}

/* Names of code that this machine doesn't have. */
static void fetch_code(Session *session)
{
    const SessionOptions *options = session->options;

    if (session_names_code(session) && !session->guest_is_halted &&
        (ring_fields(session->ring) & MT_FIELD_INSTRUCTION) && (ring_fields(session->ring) & MT_FIELD_TASK))
        known_code_set_guest(session->code, guest_code_fetch(session->guest, session->ring, options->workload.sees_host,
                                                             session->folder->path));
}

/* A recording has them by now. Analyses that lack them have results all the same. */
static void name_code(Session *session, SessionResult *result)
{
    const RecordingFacts facts = known_facts(session);
    g_autoptr(GError) problem = NULL;

    if (!result->analyses || !session_names_code(session))
        return;
    if (!live_analyses_find_names(result->analyses, &facts, session->folder->path, &problem))
        run_loop_note(session->loop, "functions have no names: %s", problem->message);
    result->missing_code = known_code_missing(session->code);
}

/* What the workload has written: some of it is to be here, when QEMU is gone. */
static bool finish_files(Session *session, SessionResult *result, GError **error)
{
    GuestFinish finish = { 0 };

    if (session->guest_is_halted)
        finish.problem = has_writable_folders(session)
                             ? (char *)"the guest was stopped: what was written last to --rw folders may be missing"
                             : NULL;
    else if (!guest_finish(session->guest, &finish, error))
        return false;
    result->files_dropped = finish.files_dropped;
    result->disk_is_full = finish.disk_is_full;
    result->files_problem = finish.problem;
    return true;
}

/* The run has failed while it was traced. A recording keeps what it got. */
static void keep_recording(Session *session, SessionResult *result, const GError *failure)
{
    g_autoptr(GError) problem = NULL;

    if (session->options->destination.kind != DESTINATION_TRACE ||
        g_error_matches(failure, MT_ERROR, MT_ERROR_INTERRUPTED)) /* the second signal: at once */
        return;
    qemu_end(guest_qemu(session->guest), END_PATIENCE_S); /* it publishes what it has when it ends by itself */
    if (ring_get_state(session->ring) == RING_TRACING)
        ring_set_state(session->ring, RING_STOPPED);
    if (!destination_drain(session->destination))
        return;
    take_results(session, result);
    result->ended_by = failure->message;
    if (!finish_trace(session, result, &problem))
        run_loop_note(session->loop, "the trace file is incomplete: %s", problem->message);
}

/* What failed because somebody had asked us to stop is told as that. */
static void stop_reason_first(const Session *session, GError **problem)
{
    const GError *reason = run_loop_stop_reason(session->loop);
    GError *both;

    if (!reason || !strcmp((*problem)->message, reason->message))
        return;
    both = g_error_new(reason->domain, reason->code, "%s, and %s", reason->message, (*problem)->message);
    g_error_free(*problem);
    *problem = both;
}

bool session_run(Session *session, SessionResult *result, GError **error)
{
    const SessionOptions *options = session->options;
    g_autoptr(GError) problem = NULL;

    *result = (SessionResult){ 0 };
    if (!setup_find(&session->setup, session->options, session->loop, error))
        return false;
    session->folder = temporary_folder_new_usual(error);
    if (!session->folder || !start(session, error) || !guest_start_workload(session->guest, error))
        return false;
    if (!start_destination(session, error))
        return false;
    if (!trace(session, &problem) || !destination_finish(session->destination, &problem)) {
        keep_recording(session, result, problem);
        stop_reason_first(session, &problem);
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    take_results(session, result);
    fetch_code(session);
    if (options->destination.kind == DESTINATION_TRACE && !finish_trace(session, result, error))
        return false;
    name_code(session, result);
    return !options->workload.sees_host || finish_files(session, result, error);
}

void session_print(Session *session, const GString *text)
{
    run_loop_print(session->loop, text->str, text->len);
}

void session_print_error(Session *session, const GString *text)
{
    run_loop_print_error(session->loop, text->str, text->len);
}

bool session_flush(Session *session, GError **error)
{
    return run_loop_flush(session->loop, error);
}

static bool qemu_is_done(void *data)
{
    Session *session = data;

    return qemu_has_ended(guest_qemu(session->guest)) || terminal_is_closed(session->terminal);
}

bool session_stay(Session *session, GError **error)
{
    const WaitFor wait = { .done = qemu_is_done, .data = session, .what = "QEMU to quit", .silent = true };
    Qemu *qemu = guest_qemu(session->guest);

    run_loop_set_stoppable(session->loop, false); /* all has been printed */
    if (!qemu)
        return true; /* there is none */
    if (!session->terminal)
        session->terminal = terminal_new(qemu_take_monitor_fd(qemu), false);
    qemu_let_end(qemu);
    return run_loop_wait(session->loop, &wait, error) && (qemu_has_ended(qemu) || qemu_quit(qemu, error));
}

void session_free(Session *session)
{
    if (!session)
        return;
    /* The vCPUs first: they may wait for room in the ring. */
    if (session->ring)
        ring_close(session->ring);
    terminal_free(session->terminal);
    guest_free(session->guest);
    destination_free(session->destination);
    known_code_free(session->code);
    ring_free(session->ring);
    setup_clear(&session->setup);
    kernel_symbols_clear(&session->kernel);
    temporary_folder_free(session->folder);
    run_loop_free(session->loop);
    g_free(session);
}
