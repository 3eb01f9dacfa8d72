/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One traced run, step by step. See session.h. */
#include "session.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent_link.h"
#include "consumer.h"
#include "fifo.h"
#include "guest_files.h"
#include "image.h"
#include "loop.h"
#include "paths.h"
#include "qemu.h"
#include "tool.h"

#define AGENT_TIMEOUT_S 20
#define PLUGIN_TIMEOUT_S 30
#define TOOL_READY_TIMEOUT_S 60
#define TOOL_DEATH_GRACE_US G_USEC_PER_SEC
#define GUEST_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* What the agent has told us. */
typedef struct {
    bool greeted, acknowledged, ready, traced, exited;
    struct mt_hello_reply greeting;
    GArray *stats; /* of struct mt_stat_reply */
    char *info;
    struct mt_traced times;
    struct mt_exit exit;
} Heard;

typedef struct {
    const SessionOptions *options;
    char *qemu_binary, *qemu_img, *plugin;
    char *folder; /* for temporary files */
    char *fifo_path;
    ImageMachine *machine;
    RunLoop *loop;
    Ring *ring;
    Qemu *qemu;
    AgentLink *agent;
    Heard heard;
    Footprint *footprint;
    Fifo *fifo;
    Tool *tool;
    Consumer *consumer;
    gint64 status_us; /* when the progress was shown last, and what it was then */
    uint64_t status_written;
    uint64_t stall_mark; /* bytes that the FIFO's reader had taken when it last took any */
    gint64 stall_us;
    gint64 sink_failed_us; /* when the sink was found to have given up, or 0 */
} Session;

/* Checks. */

static bool is_file(const char *path)
{
    return g_file_test(path, G_FILE_TEST_EXISTS) && !g_file_test(path, G_FILE_TEST_IS_DIR);
}

static bool is_fifo(const char *path)
{
    GStatBuf status;

    return !g_stat(path, &status) && S_ISFIFO(status.st_mode);
}

static bool check_paths(Session *session, GError **error)
{
    const SessionOptions *options = session->options;

    if (!is_file(options->image))
        return mt_fail(error, "guest_image_path must be a file path, but %s isn't.", options->image);
    if (options->workload_is_on_host && !is_file(options->workload[0]))
        return mt_fail(error, "workload_path_on_host must be a file path, but %s isn't.", options->workload[0]);
    if (options->destination == DESTINATION_TOOL && !is_file(options->destination_path))
        return mt_fail(error, "analysis_tool_path must be a file path, but %s isn't.", options->destination_path);
    if (options->destination == DESTINATION_FIFO && !is_fifo(options->destination_path))
        return mt_fail(error, "trace_fifo_path must be a fifo path, but %s isn't.", options->destination_path);
    session->qemu_binary = paths_find_qemu(options->qemu, error);
    if (!session->qemu_binary)
        return false;
    session->qemu_img = paths_find_qemu_img(session->qemu_binary, error);
    if (!session->qemu_img)
        return false;
    if (options->destination != DESTINATION_NONE)
        session->plugin = paths_find_resource("libgmbe.so", error);
    return options->destination == DESTINATION_NONE || session->plugin;
}

static bool check_image(Session *session, GError **error)
{
    const SessionOptions *options = session->options;
    g_auto(GStrv) snapshots = image_list_snapshots(options->image, session->qemu_img, error);

    if (!snapshots)
        return false;
    if (!g_strv_contains((const char *const *)snapshots, options->snapshot)) {
        g_autofree char *names = g_strjoinv(", ", snapshots);

        return mt_fail(error, "%s has no snapshot '%s' (it has %s%s)", options->image, options->snapshot,
                       *names ? "these: " : "none", names);
    }
    session->machine = image_machine_load(options->image, error);
    if (!session->machine)
        return false;
    if (session->machine->known && options->ram_mb && options->ram_mb != session->machine->ram_mb)
        return mt_fail(error, "snapshot '%s' of %s was made with %u MB of RAM, but guest_RAM_in_MBs is %u",
                       options->snapshot, options->image, session->machine->ram_mb, options->ram_mb);
    if (options->ram_mb)
        session->machine->ram_mb = options->ram_mb;
    if (g_strcmp0(session->machine->devices, IMAGE_DEVICES))
        return mt_fail(error, "%s was made with other devices (%s) than this memory_tracer uses (%s): prepare it again",
                       options->image, session->machine->devices, IMAGE_DEVICES);
    if (session->machine->known && session->machine->agent_protocol != MT_PROTOCOL_VERSION)
        return mt_fail(error, "the agent in %s speaks protocol %u, but this memory_tracer %d: prepare the image again",
                       options->image, session->machine->agent_protocol, MT_PROTOCOL_VERSION);
    return true;
}

/* The agent. */

static void pass_output(Session *session, bool is_stderr, const uint8_t *bytes, uint32_t length)
{
    FILE *stream = is_stderr || !session->options->pass_output ? stderr : stdout;

    run_loop_clear_progress(session->loop);
    fwrite(bytes, 1, length, stream);
    fflush(stream);
}

static void on_frame(void *data, enum mt_frame_type type, const uint8_t *payload, uint32_t length)
{
    Session *session = data;
    Heard *heard = &session->heard;

    switch (type) {
    case MT_FRAME_HELLO_REPLY:
        memcpy(&heard->greeting, payload, MIN(length, sizeof heard->greeting));
        heard->greeted = true;
        break;
    case MT_FRAME_OK:
        heard->acknowledged = true;
        break;
    case MT_FRAME_ERROR:
        run_loop_fail(session->loop, g_error_new(MT_ERROR, MT_ERROR_FAILED, "%s", (const char *)payload));
        break;
    case MT_FRAME_STAT_REPLY: {
        struct mt_stat_reply reply = { 0 };

        memcpy(&reply, payload, MIN(length, sizeof reply));
        g_array_append_val(heard->stats, reply);
        break;
    }
    case MT_FRAME_READY:
        g_free(heard->info);
        heard->info = g_strdup((const char *)payload);
        heard->ready = true;
        break;
    case MT_FRAME_STDOUT:
    case MT_FRAME_STDERR:
        pass_output(session, type == MT_FRAME_STDERR, payload, length);
        break;
    case MT_FRAME_TRACED:
        memcpy(&heard->times, payload, MIN(length, sizeof heard->times));
        heard->traced = true;
        break;
    case MT_FRAME_EXIT:
        memcpy(&heard->exit, payload, MIN(length, sizeof heard->exit));
        heard->exited = true;
        break;
    default:
        break;
    }
}

static bool has_greeted(void *data)
{
    return ((Session *)data)->heard.greeted;
}

static bool greet(Session *session, GError **error)
{
    struct mt_hello hello = { .version = MT_PROTOCOL_VERSION, .wall_clock_ns = g_get_real_time() * 1000 };
    const WaitFor wait = { .done = has_greeted,
                           .data = session,
                           .what = "the agent in the guest to answer",
                           .timeout_s = AGENT_TIMEOUT_S,
                           .poll_ms = 10 };
    g_autoptr(GError) problem = NULL;

    session->agent = agent_link_new(qemu_take_agent_fd(session->qemu), on_frame, session);
    agent_link_send(session->agent, MT_FRAME_HELLO, &hello, sizeof hello);
    if (!qemu_wait_running(session->qemu, error))
        return false;
    if (!run_loop_wait(session->loop, &wait, &problem)) {
        if (strstr(problem->message, "gave up"))
            return mt_fail(error, "no agent answers in snapshot '%s' of %s: was it made by 'memory_tracer image'?",
                           session->options->snapshot, session->options->image);
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    if (session->heard.greeting.version != MT_PROTOCOL_VERSION)
        return mt_fail(error, "the agent in %s speaks protocol %u, but this memory_tracer %d: prepare the image again",
                       session->options->image, session->heard.greeting.version, MT_PROTOCOL_VERSION);
    return true;
}

/* The workload. */

typedef struct {
    Session *session;
    guint count;
} StatsWanted;

static bool has_stats(void *data)
{
    StatsWanted *wanted = data;

    return wanted->session->heard.stats->len >= wanted->count;
}

static bool has_acknowledged(void *data)
{
    return ((Session *)data)->heard.acknowledged;
}

static bool send_file(Session *session, const char *path, GError **error)
{
    const WaitFor wait = {
        .done = has_acknowledged, .data = session, .what = "the guest to receive files", .poll_ms = 20
    };

    run_loop_verbose(session->loop, "sending %s", path);
    session->heard.acknowledged = false;
    return agent_link_send_file(session->agent, path, path, error) && run_loop_wait(session->loop, &wait, error);
}

/* Has the guest the same file? Files of the same package version have the same size and time. */
static bool is_same(const char *path, const struct mt_stat_reply *reply)
{
    GStatBuf status;

    return !g_stat(path, &status) && S_ISREG(reply->mode) && (uint64_t)status.st_size == reply->size &&
           status.st_mtim.tv_sec == reply->mtime_ns / 1000000000;
}

static bool send_files(Session *session, GPtrArray *paths, bool only_missing, GError **error)
{
    StatsWanted wanted = { session, paths->len };
    const WaitFor wait = { .done = has_stats,
                           .data = &wanted,
                           .what = "the guest to say which files it has",
                           .timeout_s = 60,
                           .poll_ms = 20 };

    g_array_set_size(session->heard.stats, 0);
    for (guint i = 0; i < paths->len; i++)
        agent_link_send(session->agent, MT_FRAME_STAT, paths->pdata[i], strlen(paths->pdata[i]) + 1);
    if (!run_loop_wait(session->loop, &wait, error))
        return false;
    for (guint i = 0; i < paths->len; i++) {
        struct mt_stat_reply reply = g_array_index(session->heard.stats, struct mt_stat_reply, i);
        bool skip = only_missing ? reply.mode != 0 : is_same(paths->pdata[i], &reply);

        if (!skip && !send_file(session, paths->pdata[i], error))
            return false;
    }
    return true;
}

static bool is_ready(void *data)
{
    return ((Session *)data)->heard.ready || ((Session *)data)->heard.exited;
}

/* Turns the workload's end before its time into an error. */
static bool ended_too_early(Session *session, const char *line, GError **error)
{
    const struct mt_exit *end = &session->heard.exit;

    return end->signal
               ? mt_fail(error, "the workload was killed by signal %u (%s) before it printed \"%s\"", end->signal,
                         g_strsignal((int)end->signal), line)
               : mt_fail(error, "the workload exited with status %u before it printed \"%s\"", end->status, line);
}

static bool start_workload(Session *session, GError **error)
{
    const SessionOptions *options = session->options;
    const WaitFor wait = { .done = is_ready,
                           .data = session,
                           .what = "the workload to print \"Ready to trace. Press enter to continue\"",
                           .timeout_s = options->wait_timeout_s,
                           .poll_ms = 10 };
    g_autofree char *program = options->workload_is_on_host ? g_canonicalize_filename(options->workload[0], NULL)
                                                            : g_strdup(options->workload[0]);
    g_autofree char *folder = g_get_current_dir();
    const char *environment[] = { GUEST_PATH,        "HOME=/root",   "USER=root", "LOGNAME=root",
                                  "SHELL=/bin/bash", "LANG=C.UTF-8", "TERM=dumb" };
    struct mt_run run = { .flags = options->workload_speaks ? MT_RUN_WORKLOAD_SPEAKS : 0,
                          .argc = g_strv_length((char **)options->workload),
                          .envc = G_N_ELEMENTS(environment) };
    g_autoptr(GByteArray) payload = g_byte_array_new();

    if (options->workload_is_on_host) {
        g_autoptr(GuestFiles) files = guest_files_new();

        if (!guest_files_add_program(files, program, error) || !send_files(session, files->needed, false, error) ||
            !send_files(session, files->if_missing, true, error))
            return false;
    }
    g_byte_array_append(payload, (const guint8 *)&run, sizeof run);
    g_byte_array_append(payload, (const guint8 *)program, (guint)strlen(program) + 1);
    for (guint i = 1; i < run.argc; i++)
        g_byte_array_append(payload, (const guint8 *)options->workload[i], (guint)strlen(options->workload[i]) + 1);
    for (guint i = 0; i < run.envc; i++)
        g_byte_array_append(payload, (const guint8 *)environment[i], (guint)strlen(environment[i]) + 1);
    g_byte_array_append(payload, (const guint8 *)folder, (guint)strlen(folder) + 1);
    if (payload->len > MT_MAX_PAYLOAD)
        return mt_fail(error, "the workload's arguments are longer than %u bytes", MT_MAX_PAYLOAD);
    agent_link_send(session->agent, MT_FRAME_RUN, payload->data, payload->len);
    if (!run_loop_wait(session->loop, &wait, error))
        return false;
    return session->heard.ready || ended_too_early(session, "Ready to trace. Press enter to continue", error);
}

/* The destination. */

static bool take_and_forget(void *data, const struct gmbeoo_record *records, size_t count)
{
    (void)data;
    (void)records;
    (void)count;
    return true;
}

static bool take_footprint(void *data, const struct gmbeoo_record *records, size_t count)
{
    footprint_add(data, records, count);
    return true;
}

static bool fifo_is_open(void *data)
{
    Session *session = data;
    GError *problem = NULL;
    bool open = fifo_try_open(session->fifo, &problem) > 0;

    if (problem)
        run_loop_fail(session->loop, problem);
    return open;
}

static bool open_fifo(Session *session, const char *path, GError **error)
{
    g_autofree char *what =
        session->tool ? g_strdup("the analysis tool to open the FIFO") : g_strdup_printf("a reader of %s", path);
    const WaitFor wait = {
        .done = fifo_is_open, .data = session, .what = what, .timeout_s = session->options->wait_timeout_s, .poll_ms = 2
    };

    session->fifo = fifo_new(path, session->ring);
    return run_loop_wait(session->loop, &wait, error);
}

static bool start_tool(Session *session, GError **error)
{
    const SessionOptions *options = session->options;
    WaitFor wait = { .done = tool_is_ready,
                     .what = "the analysis tool to print \"Ready to analyze\"",
                     .timeout_s = options->wait_timeout_s ? MIN(options->wait_timeout_s, TOOL_READY_TIMEOUT_S) : 0,
                     .poll_ms = 10 };

    session->fifo_path = g_build_filename(session->folder, "trace_fifo", NULL);
    if (mkfifo(session->fifo_path, 0600))
        return mt_fail(error, "can't create the FIFO %s: %s", session->fifo_path, g_strerror(errno));
    wait.data = session->tool =
        tool_start(options->destination_path, session->fifo_path, session->heard.info, session->loop, error);
    return session->tool && run_loop_wait(session->loop, &wait, error) && open_fifo(session, session->fifo_path, error);
}

static bool start_destination(Session *session, GError **error)
{
    RingSink sink = take_and_forget;
    void *sink_data = NULL;

    switch (session->options->destination) {
    case DESTINATION_NONE:
    case DESTINATION_IDLE:
        return true;
    case DESTINATION_TOOL:
        if (!start_tool(session, error))
            return false;
        break;
    case DESTINATION_FIFO:
        if (!open_fifo(session, session->options->destination_path, error))
            return false;
        break;
    case DESTINATION_FOOTPRINT:
        sink = take_footprint;
        sink_data = session->footprint = footprint_new();
        break;
    case DESTINATION_NULL:
        break;
    }
    if (session->fifo) {
        sink = fifo_write;
        sink_data = session->fifo;
    }
    session->consumer = consumer_start(session->ring, sink, sink_data);
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
    rate = session->status_us
               ? (double)(counts.written - session->status_written) / (double)(now_us - session->status_us)
               : 0;
    session->status_us = now_us;
    session->status_written = counts.written;
    if (counts.dropped)
        dropped = g_strdup_printf(", %.1f M dropped", (double)counts.dropped / 1e6);
    return g_strdup_printf("%.1f M accesses, %.1f M/s%s", (double)counts.events / 1e6, rate, dropped ? dropped : "");
}

/* A sink that gave up, or a reader that takes nothing for too long, makes the run fail. */
static void watch_destination(Session *session)
{
    unsigned timeout_s = session->options->wait_timeout_s;
    const char *reader = session->tool ? "the analysis tool" : "the reader of the FIFO";
    gint64 now_us = g_get_monotonic_time();
    uint64_t taken;

    if (!session->fifo)
        return;
    if (consumer_has_finished(session->consumer) && !consumer_is_complete(session->consumer)) {
        int failure = fifo_failure(session->fifo);

        /* A tool that has died closes the FIFO first; how it died says more. */
        if (!session->sink_failed_us)
            session->sink_failed_us = now_us;
        if (!session->tool || now_us - session->sink_failed_us > TOOL_DEATH_GRACE_US)
            run_loop_fail(session->loop,
                          g_error_new(MT_ERROR, MT_ERROR_FAILED, "%s %s after %" G_GUINT64_FORMAT " records", reader,
                                      failure == EPIPE ? "closed it" : g_strerror(failure),
                                      fifo_written_bytes(session->fifo) / sizeof(struct gmbeoo_record)));
        return;
    }
    taken = fifo_written_bytes(session->fifo) - fifo_unread_bytes(session->fifo);
    if (taken != session->stall_mark || !fifo_unread_bytes(session->fifo)) {
        session->stall_mark = taken;
        session->stall_us = now_us;
    } else if (timeout_s && now_us - session->stall_us > timeout_s * G_USEC_PER_SEC) {
        run_loop_fail(session->loop,
                      g_error_new(MT_ERROR, MT_ERROR_FAILED, "%s has read nothing for %u s", reader, timeout_s));
    }
}

static bool workload_is_done(void *data)
{
    Session *session = data;

    watch_destination(session);
    return session->heard.exited ||
           (session->options->workload_speaks && session->heard.traced && !session->heard.times.never_stopped);
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
    g_autoptr(JsonNode) stopped = NULL, continued = NULL;

    ring_arm(session->ring);
    stopped = qemu_execute(session->qemu, "stop", NULL, error);
    continued = stopped ? qemu_execute(session->qemu, "cont", NULL, error) : NULL;
    return continued && run_loop_wait(session->loop, &wait, error);
}

static bool trace(Session *session, GError **error)
{
    const WaitFor wait = { .done = workload_is_done,
                           .data = session,
                           .what = session->options->workload_speaks ? "the workload to print \"Stop tracing\""
                                                                     : "the workload to end",
                           .expected = true };

    if (session->consumer && !arm(session, error))
        return false;
    run_loop_set_status(session->loop, status_text, session);
    agent_link_send(session->agent, MT_FRAME_ENTER, NULL, 0);
    if (!run_loop_wait(session->loop, &wait, error))
        return false;
    return !session->heard.times.never_stopped || ended_too_early(session, "Stop tracing", error);
}

/* After the stop marker. */

static bool all_is_taken(void *data)
{
    Session *session = data;

    watch_destination(session);
    return consumer_is_complete(session->consumer);
}

static bool tool_has_taken_all(void *data)
{
    Session *session = data;

    watch_destination(session);
    return !fifo_unread_bytes(session->fifo) && tool_is_idle(session->tool);
}

static bool finish_tool(Session *session, GError **error)
{
    const WaitFor until_taken = { .done = tool_has_taken_all,
                                  .data = session,
                                  .what = "the analysis tool to process what is in the FIFO",
                                  .timeout_s = session->options->wait_timeout_s,
                                  .poll_ms = 3 };
    const WaitFor until_output = { .done = tool_has_output,
                                   .data = session->tool,
                                   .what = "the analysis tool's output",
                                   .timeout_s = session->options->wait_timeout_s,
                                   .poll_ms = 5 };

    if (!run_loop_wait(session->loop, &until_taken, error))
        return false;
    tool_request_output(session->tool);
    if (!run_loop_wait(session->loop, &until_output, error))
        return false;
    g_clear_pointer(&session->consumer, consumer_free);
    g_clear_pointer(&session->fifo, fifo_free); /* only now does the tool see the end of the stream */
    tool_dismiss(session->tool);
    return true;
}

static bool drain(Session *session, GError **error)
{
    const WaitFor wait = { .done = all_is_taken, .data = session, .what = "the records to be taken", .poll_ms = 5 };

    if (!session->consumer)
        return true;
    if (ring_get_state(session->ring) != RING_STOPPED)
        return mt_fail(error, "the plugin has not seen the markers: records are missing");
    return run_loop_wait(session->loop, &wait, error) && (!session->tool || finish_tool(session, error));
}

/* All of it. */

static bool start_guest(Session *session, GError **error)
{
    const SessionOptions *options = session->options;
    g_autofree char *layer = g_build_filename(session->folder, "layer.qcow2", NULL);
    QemuOptions qemu = { .binary = session->qemu_binary,
                         .machine = session->machine,
                         .image = options->image,
                         .disk = layer,
                         .disk_is_layer = true,
                         .snapshot = options->snapshot,
                         .plugin = session->plugin,
                         .user_only = options->user_only,
                         .drop_when_full = options->drop_when_full,
                         .stay_idle = options->destination == DESTINATION_IDLE };

    if (!image_create_layer(options->image, layer, session->qemu_img, error))
        return false;
    if (options->destination != DESTINATION_NONE) {
        session->ring = ring_new(session->machine->vcpus, RING_DEFAULT_BYTES, error);
        if (!session->ring)
            return false;
        qemu.ring = session->ring;
    }
    session->qemu = qemu_start(&qemu, session->loop, error);
    if (!session->qemu || !greet(session, error))
        return false;
    g_unlink(layer); /* QEMU has it open: nothing stays behind, whatever ends us */
    return true;
}

static void take_results(Session *session, SessionResult *result)
{
    result->workload_info = g_strdup(session->heard.info);
    result->signal = (int)session->heard.exit.signal;
    result->status = (int)session->heard.exit.status;
    result->traced_ns =
        session->consumer || session->tool ? ring_traced_ns(session->ring) : session->heard.times.elapsed_ns;
    if (session->ring)
        result->counts = ring_get_counts(session->ring);
    if (session->tool)
        result->analysis_output = g_strdup(tool_output(session->tool));
    if (session->footprint)
        result->footprint = footprint_result(session->footprint);
}

static void clear(Session *session)
{
    /* The vCPUs first: they may wait for room in the ring. */
    if (session->ring)
        ring_close(session->ring);
    g_clear_pointer(&session->agent, agent_link_free);
    g_clear_pointer(&session->qemu, qemu_free);
    g_clear_pointer(&session->consumer, consumer_free);
    g_clear_pointer(&session->fifo, fifo_free);
    g_clear_pointer(&session->tool, tool_free);
    g_clear_pointer(&session->footprint, footprint_free);
    g_clear_pointer(&session->ring, ring_free);
    g_clear_pointer(&session->loop, run_loop_free);
    g_clear_pointer(&session->machine, image_machine_free);
    g_clear_pointer(&session->heard.stats, g_array_unref);
    g_free(session->heard.info);
    g_free(session->fifo_path);
    g_free(session->qemu_binary);
    g_free(session->qemu_img);
    g_free(session->plugin);
    paths_remove_temporary_folder(session->folder);
}

bool session_run(const SessionOptions *options, SessionResult *result, GError **error)
{
    Session session = { .options = options };
    bool fine;

    *result = (SessionResult){ 0 };
    signal(SIGPIPE, SIG_IGN); /* a reader's or QEMU's death is told by write() */
    session.heard.stats = g_array_new(FALSE, FALSE, sizeof(struct mt_stat_reply));
    session.loop = run_loop_new(options->verbose);
    fine = check_paths(&session, error) && check_image(&session, error);
    if (fine) {
        session.folder = paths_make_temporary_folder(error);
        fine = session.folder && start_guest(&session, error) && start_workload(&session, error) &&
               start_destination(&session, error) && trace(&session, error) && drain(&session, error);
    }
    if (fine)
        take_results(&session, result);
    clear(&session);
    return fine;
}

void session_result_clear(SessionResult *result)
{
    g_free(result->workload_info);
    g_free(result->analysis_output);
    *result = (SessionResult){ 0 };
}
