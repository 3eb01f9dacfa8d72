/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One traced run, step by step. See session.h. */
#include "session.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "../base/cores.h"
#include "../base/loop.h"
#include "../base/paths.h"
#include "../base/printable.h"
#include "../base/regular_file.h"
#include "../base/temporary_folder.h"
#include "../protocol/words.h"
#include "../vm/host_view.h"
#include "../vm/image.h"
#include "../vm/kernel_symbols.h"
#include "../vm/qemu.h"
#include "../vm/terminal.h"
#include "../vm/transfer_drive.h"
#include "metadata.h"

#define PLUGIN_TIMEOUT_S 30
#define STOP_PATIENCE_MS 2000
#define END_PATIENCE_S 2
#define WATCH_EVERY_US G_USEC_PER_SEC

struct Session {
    const SessionOptions *options;
    char *qemu_binary, *qemu_img, *plugin;
    char *snapshot;
    TemporaryFolder *folder;
    ImageMachine *machine;
    RunLoop *loop;
    Ring *ring;
    Guest *guest;
    WorkloadOptions workload; /* the options', and what of it is to be found out */
    char *kallsyms, *modules; /* of the guest's kernel, for a trace file; or NULL */
    Terminal *terminal;
    Destination *destination;
    gint64 status_us; /* when the progress was shown last, and what it was then */
    uint64_t status_events;
    bool stopped_early;            /* stop_early() was called */
    bool guest_is_halted;          /* and the agent didn't answer */
    gint64 watched_us, stopped_us; /* when QEMU was looked at last, and since when it has been stopped, or 0 */
};

static bool is_traced(const Session *session)
{
    DestinationKind kind = session->options->destination.kind;

    return kind != DESTINATION_NONE && kind != DESTINATION_IDLE;
}

/* Checks. */

static bool is_file(const char *path)
{
    return g_file_test(path, G_FILE_TEST_IS_REGULAR); /* a FIFO or a device would be waited for */
}

static bool is_fifo(const char *path)
{
    GStatBuf status;

    return !g_stat(path, &status) && S_ISFIFO(status.st_mode);
}

/* What is written must not be what is read: a wrong word would destroy a guest image. */
static bool check_outputs(const SessionOptions *options, GError **error)
{
    g_autofree char *metadata = options->native ? NULL : g_strconcat(options->image, ".json", NULL);
    const char *trace = options->destination.kind == DESTINATION_TRACE ? options->destination.path : NULL;
    const char *tool = options->destination.kind == DESTINATION_TOOL ? options->destination.path : NULL;
    const char *outputs[] = { trace, options->summary };
    const struct {
        const char *path, *what;
    } inputs[] = {
        { options->native ? NULL : options->image, "the guest image" },
        { metadata, "the guest image's metadata" },
        { options->workload.is_on_host ? options->workload.program : NULL, "the workload" },
        { tool, "the analysis tool" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(outputs); i++)
        for (guint k = 0; outputs[i] && k < G_N_ELEMENTS(inputs); k++)
            if (inputs[k].path && regular_file_is_same(outputs[i], inputs[k].path))
                return mt_fail(error, "can't write %s: it is %s", outputs[i], inputs[k].what);
    /* It is opened after the warm-ups, and they could have put a link to any file of ours there. */
    if (trace && options->workload.warm_ups && host_view_shares(trace, options->workload.writable))
        return mt_fail(error, "can't write %s: with --warm-up, the trace can't be in a folder of --rw", trace);
    return !trace || !options->summary || !regular_file_is_same(trace, options->summary) ||
           mt_fail(error, "can't write both the trace and the summary into %s", trace);
}

static bool check_paths(Session *session, GError **error)
{
    const SessionOptions *options = session->options;

    if (!options->native && !is_file(options->image))
        return mt_fail(error, "the guest image %s is not a file", options->image);
    if (options->workload.is_on_host && !is_file(options->workload.program))
        return mt_fail(error, "the workload %s is not a file", options->workload.program);
    if (options->workload.folder && !g_file_test(options->workload.folder, G_FILE_TEST_IS_DIR))
        return mt_fail(error, "the workload's folder %s is not a folder", options->workload.folder);
    if (options->destination.kind == DESTINATION_TOOL && !is_file(options->destination.path))
        return mt_fail(error, "the analysis tool %s is not a file", options->destination.path);
    if (options->destination.kind == DESTINATION_FIFO && !is_fifo(options->destination.path))
        return mt_fail(error, "%s is not a FIFO (mkfifo makes one)", options->destination.path);
    if (options->destination.kind == DESTINATION_TRACE && !regular_file_check_output(options->destination.path, error))
        return false;
    if (!check_outputs(options, error))
        return false;
    if (options->native)
        return true;
    session->qemu_binary = paths_find_qemu(options->qemu, error);
    session->qemu_img = session->qemu_binary ? paths_find_qemu_img(session->qemu_binary, error) : NULL;
    if (session->qemu_img && options->destination.kind != DESTINATION_NONE)
        session->plugin = paths_find_resource("libgmbe.so", error);
    return session->qemu_img && (options->destination.kind == DESTINATION_NONE || session->plugin);
}

/* Which snapshot it is to be: with icount, the one that was taken with it, by that name or with the suffix. */
static bool choose_snapshot(Session *session, GError **error)
{
    const SessionOptions *options = session->options;
    g_auto(GStrv) snapshots = image_list_snapshots(options->image, session->qemu_img, session->loop, error);

    if (!snapshots)
        return false;
    session->snapshot = g_strdup(options->snapshot);
    if (options->icount && !g_str_has_suffix(options->snapshot, IMAGE_ICOUNT_SUFFIX)) {
        g_free(session->snapshot);
        session->snapshot = g_strconcat(options->snapshot, IMAGE_ICOUNT_SUFFIX, NULL);
    }
    if (!g_strv_contains((const char *const *)snapshots, session->snapshot)) {
        g_autofree char *joined = g_strjoinv(", ", snapshots), *names = text_make_printable(joined);

        return mt_fail(error, "%s has no snapshot '%s' (it has %s%s)", options->image, session->snapshot,
                       *names ? "these: " : "none", names);
    }
    session->machine = image_machine_load(options->image, session->snapshot, error);
    if (!session->machine)
        return false;
    if (options->icount && !session->machine->known)
        image_machine_set_icount(session->machine, true);
    if (options->icount != (*session->machine->icount != 0))
        return mt_fail(error, "snapshot '%s' of %s was made %s --icount, and can only be used like that",
                       session->snapshot, options->image, options->icount ? "without" : "with");
    return true;
}

static bool check_image(Session *session, GError **error)
{
    const SessionOptions *options = session->options;

    if (!choose_snapshot(session, error))
        return false;
    if (session->machine->known && options->ram_mb && options->ram_mb != session->machine->ram_mb)
        return mt_fail(error, "snapshot '%s' of %s was made with %u MB of RAM, but guest_RAM_in_MBs is %u",
                       session->snapshot, options->image, session->machine->ram_mb, options->ram_mb);
    if (options->ram_mb)
        session->machine->ram_mb = options->ram_mb;
    if (g_strcmp0(session->machine->devices, IMAGE_DEVICES))
        return mt_fail(error, "%s was made with other devices (%s) than this memory_tracer uses (%s): prepare it again",
                       options->image, session->machine->devices, IMAGE_DEVICES);
    if (session->machine->known && session->machine->agent_protocol < MT_PROTOCOL_BASE)
        return mt_fail(
            error,
            "the agent in %s speaks protocol %u, but this memory_tracer needs %d or newer: prepare the image "
            "again",
            options->image, session->machine->agent_protocol, MT_PROTOCOL_BASE);
    return true;
}

/* The guest. */

/* With icount or strict_order QEMU runs all vCPUs in one thread, and doesn't tell the plugin when one wakes up. So it
 * is armed from the beginning. */
static bool has_one_thread(const Session *session)
{
    return *session->machine->icount || session->options->capture.strict_order;
}

/* A vCPU that has no core meanwhile may hold a lock of the guest's kernel, and the others spin. */
static void warn_of_few_cores(const Session *session)
{
    unsigned vcpus = session->machine->vcpus, cores = cores_usable();

    if (vcpus > cores && !has_one_thread(session))
        run_loop_note(
            session->loop,
            "the guest has %u vCPUs, but there %s %u core%s for them: its kernel spins, so how many accesses are "
            "the kernel's means little",
            vcpus, cores == 1 ? "is" : "are", cores, cores == 1 ? "" : "s");
}

/* What the guest can mount: all, to be read, and what it may write to. To be freed, without the strings. */
static const char **shared_folders(const WorkloadOptions *workload)
{
    const char *const *writable = workload->writable;
    GPtrArray *folders = g_ptr_array_new();

    if (workload->sees_host)
        g_ptr_array_add(folders, (gpointer) "/");
    for (; workload->sees_host && writable && *writable; writable++)
        g_ptr_array_add(folders, (gpointer)*writable);
    g_ptr_array_add(folders, NULL);
    return (const char **)g_ptr_array_free(folders, FALSE);
}

static bool start_guest(Session *session, GError **error)
{
    const SessionOptions *options = session->options;
    g_autofree char *layer = g_build_filename(session->folder->path, "layer.qcow2", NULL);
    g_autofree char *drive = g_build_filename(session->folder->path, "transfer", NULL);
    CaptureOptions capture = options->capture;
    g_autofree const char **shares = shared_folders(&options->workload);
    uint64_t folder_bytes;
    QemuOptions qemu = { .binary = session->qemu_binary,
                         .machine = session->machine,
                         .image = options->image,
                         .disk = layer,
                         .disk_is_layer = true,
                         .snapshot = session->snapshot,
                         .plugin = session->plugin,
                         .transfer = drive,
                         .shares = shares,
                         .capture = &capture,
                         .monitor = options->display || options->keep_qemu,
                         .display = options->display };

    if (!transfer_drive_create(drive, options->workload.folder, &folder_bytes, session->loop, error))
        return false;
    capture.strict_order = has_one_thread(session) && session->machine->vcpus > 1;
    if (options->destination.kind == DESTINATION_TRACE &&
        !kernel_symbols_load(&qemu, session->qemu_img, session->loop, &session->kallsyms, &session->modules, error))
        return false;
    if (!image_create_layer(options->image, layer, session->qemu_img, session->loop, error))
        return false;
    if (options->destination.kind != DESTINATION_NONE) {
        session->ring = ring_new(session->machine->vcpus, RING_DEFAULT_BYTES, options->destination.fields, error);
        if (!session->ring)
            return false;
        qemu.ring = session->ring;
        if (has_one_thread(session) && is_traced(session))
            ring_arm(session->ring);
    }
    session->workload = options->workload;
    session->workload.describe = options->destination.kind == DESTINATION_TRACE;
    session->workload.tell_vcpus = capture.strict_order;
    session->workload.describe_libraries = !has_one_thread(session); /* there, markers are heeded from the start */
    session->guest = guest_start(&qemu, &session->workload, session->loop, error);
    if (!session->guest)
        return false;
    guest_set_archive_bytes(session->guest, folder_bytes);
    g_unlink(layer); /* QEMU has it open: nothing stays behind, whatever ends us */
    g_unlink(drive);
    if (options->display)
        session->terminal = terminal_new(qemu_take_monitor_fd(guest_qemu(session->guest)), false);
    return true;
}

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

/* A QEMU that somebody has stopped may go on, and may not. */
static void watch_qemu(Session *session)
{
    unsigned timeout_s = session->options->workload.wait_timeout_s;
    Qemu *qemu = guest_qemu(session->guest);
    gint64 now_us = g_get_monotonic_time();

    if (!qemu || now_us - session->watched_us < WATCH_EVERY_US)
        return;
    session->watched_us = now_us;
    if (!qemu_is_stopped(qemu)) {
        session->stopped_us = 0;
    } else if (!session->stopped_us) {
        session->stopped_us = now_us;
        run_loop_note(session->loop, "QEMU has been stopped (SIGSTOP): waiting until it is continued");
    } else if (timeout_s && now_us - session->stopped_us > timeout_s * G_USEC_PER_SEC) {
        run_loop_fail(session->loop, g_error_new(MT_ERROR, MT_ERROR_FAILED,
                                                 "gave up, as QEMU has been stopped (SIGSTOP) for %u s", timeout_s));
    }
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

    watch_qemu(session);
    return workload_has_ended(session) || run_loop_stop_reason(session->loop);
}

/* Whether anything was traced before somebody asked us to stop: else that is all there is to say. */
static bool has_trace(const Session *session, GError **error)
{
    if (!is_traced(session) || ring_get_state(session->ring) == RING_STOPPED)
        return true;
    g_propagate_error(error, g_error_copy(run_loop_stop_reason(session->loop)));
    return false;
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
                           .patience_ms = STOP_PATIENCE_MS,
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

    if (is_traced(session) && !arm(session, error))
        return false;
    if (is_traced(session) && !ring_vcpus_are_known(session->ring))
        run_loop_note(session->loop, "all vCPUs run in one thread, and the guest doesn't tell which is which: "
                                     "all records say vCPU 0");
    run_loop_set_status(session->loop, status_text, session);
    run_loop_set_stoppable(session->loop, true);
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
    result->guest_ram_mb = session->machine ? session->machine->ram_mb : 0;
    result->last_words = guest_last_words(session->guest);
    result->guest_ns = workload->times.elapsed_ns;
    result->traced_ns = is_traced(session) ? ring_traced_ns(session->ring) : workload->times.elapsed_ns;
    if (session->ring) {
        result->counts = ring_get_counts(session->ring);
        result->regions = ring_regions(session->ring);
        result->open_regions = ring_open_regions(session->ring);
        result->ignored_markers = ring_ignored_markers(session->ring);
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
    if (!check_image(session, error))
        return false;
    for (const char *const *note = session->options->notes; note && *note; note++)
        run_loop_note(session->loop, "%s", *note);
    warn_of_few_cores(session);
    return start_guest(session, error);
}

static bool start_destination(Session *session, GError **error)
{
    const DestinationOptions *options = &session->options->destination;
    const GuestWorkload *workload = guest_workload(session->guest);
    g_autofree char *metadata = options->kind == DESTINATION_TRACE
                                    ? metadata_of_run(session->options, session->snapshot, session->machine,
                                                      qemu_version(guest_qemu(session->guest)))
                                    : NULL;
    const RecordingFacts facts = { .metadata = metadata,
                                   .kallsyms = session->kallsyms,
                                   .modules = session->modules,
                                   .libraries = workload->libraries };

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
    return true;
}

/* What the workload has written: some of it is to be here, when QEMU is gone. */
static bool finish_files(Session *session, SessionResult *result, GError **error)
{
    GuestFinish finish = { 0 };

    if (session->guest_is_halted)
        finish.problem = *session->options->workload.writable
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
    if (!check_paths(session, error))
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
    if (options->destination.kind == DESTINATION_TRACE && !finish_trace(session, result, error))
        return false;
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
    ring_free(session->ring);
    image_machine_free(session->machine);
    g_free(session->qemu_binary);
    g_free(session->qemu_img);
    g_free(session->plugin);
    g_free(session->snapshot);
    g_free(session->kallsyms);
    g_free(session->modules);
    temporary_folder_free(session->folder);
    run_loop_free(session->loop);
    g_free(session);
}
