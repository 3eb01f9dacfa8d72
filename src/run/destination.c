/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the records of a run go: see destination.h. */
#include "destination.h"

#include <errno.h>
#include <sys/stat.h>

#include "consumer.h"
#include "fifo.h"
#include "tool.h"

#define TOOL_DEATH_GRACE_US G_USEC_PER_SEC
#define IMPATIENT_S 2
#define DRAIN_MS 5000

struct Destination {
    const DestinationOptions *options;
    RunLoop *loop;
    Ring *ring;
    char *fifo_path; /* of ours */
    Fifo *fifo;
    Tool *tool;
    LiveAnalyses *analyses;
    Recording *recording;
    Consumer *consumer;
    uint64_t stall_mark;   /* bytes that the FIFO's reader had taken at stall_us */
    gint64 stall_us;       /* when it last took any, or the FIFO was empty */
    gint64 sink_failed_us; /* when the sink was found to have given up, or 0 */
};

static bool take_and_discard(void *data, const struct gmbeoo_record *records, size_t count)
{
    (void)data;
    (void)records;
    (void)count;
    return true;
}

static bool fifo_is_open(void *data)
{
    Destination *destination = data;
    GError *problem = NULL;
    bool open = fifo_try_open(destination->fifo, &problem) > 0;

    if (problem)
        run_loop_fail(destination->loop, problem);
    return open;
}

static bool open_fifo(Destination *destination, const char *path, GError **error)
{
    g_autofree char *what =
        destination->tool ? g_strdup("the analysis tool to open the FIFO") : g_strdup_printf("a reader of %s", path);
    const WaitFor wait = { .done = fifo_is_open,
                           .data = destination,
                           .what = what,
                           .timeout_s = destination->options->wait_timeout_s,
                           .poll_ms = 2 };

    destination->fifo = fifo_new(path, destination->ring, destination->options->compact);
    return run_loop_wait(destination->loop, &wait, error);
}

static bool start_tool(Destination *destination, const char *info, const char *folder, GError **error)
{
    const DestinationOptions *options = destination->options;
    WaitFor wait = { .done = tool_is_ready,
                     .what = "the analysis tool to print \"Ready to analyze\"",
                     .timeout_s = options->wait_timeout_s,
                     .poll_ms = 10 };

    destination->fifo_path = g_build_filename(folder, "trace_fifo", NULL);
    if (mkfifo(destination->fifo_path, 0600))
        return mt_fail(error, "can't create the FIFO %s: %s", destination->fifo_path, g_strerror(errno));
    wait.data = destination->tool = tool_start(options->path, destination->fifo_path, info, destination->loop, error);
    return destination->tool && run_loop_wait(destination->loop, &wait, error) &&
           open_fifo(destination, destination->fifo_path, error);
}

Destination *destination_start(const DestinationOptions *options, Ring *ring, const char *info,
                               const RecordingFacts *facts, const char *folder, RunLoop *loop, GError **error)
{
    g_autoptr(Destination) destination = g_new0(Destination, 1);
    RingSink sink = take_and_discard;
    void *sink_data = NULL;

    destination->options = options;
    destination->loop = loop;
    destination->ring = ring;
    switch (options->kind) {
    case DESTINATION_NONE:
    case DESTINATION_IDLE:
        return g_steal_pointer(&destination);
    case DESTINATION_TOOL:
        if (!start_tool(destination, info, folder, error))
            return NULL;
        break;
    case DESTINATION_FIFO:
        if (!open_fifo(destination, options->path, error))
            return NULL;
        break;
    case DESTINATION_TRACE:
        sink = recording_take;
        sink_data = destination->recording = recording_start(options->path, ring, facts, error);
        if (!sink_data)
            return NULL;
        break;
    case DESTINATION_ANALYSES:
        sink = live_analyses_take;
        sink_data = destination->analyses = live_analyses_new(&options->analyses, ring, facts, error);
        if (!sink_data)
            return NULL;
        break;
    case DESTINATION_NULL:
        break;
    }
    if (destination->fifo) {
        sink = fifo_write;
        sink_data = destination->fifo;
    }
    destination->consumer = consumer_start(ring, sink, sink_data);
    return g_steal_pointer(&destination);
}

void destination_free(Destination *destination)
{
    if (!destination)
        return;
    consumer_free(destination->consumer);
    fifo_free(destination->fifo);
    tool_free(destination->tool);
    live_analyses_free(destination->analyses);
    recording_free(destination->recording);
    g_free(destination->fifo_path);
    g_free(destination);
}

void destination_watch(Destination *destination)
{
    unsigned timeout_s = run_loop_stop_reason(destination->loop) ? IMPATIENT_S : destination->options->wait_timeout_s;
    const char *reader = destination->tool ? "the analysis tool" : "the reader of the FIFO";
    gint64 now_us = g_get_monotonic_time();
    uint64_t taken;

    if (destination->ring && ring_damage(destination->ring)) {
        run_loop_fail(destination->loop,
                      g_error_new(MT_ERROR, MT_ERROR_FAILED, "QEMU has broken the ring of records: %s",
                                  ring_damage(destination->ring)));
        return;
    }
    if (destination->recording && consumer_has_finished(destination->consumer) &&
        recording_error(destination->recording)) {
        GError *problem = g_error_copy(recording_error(destination->recording));

        g_prefix_error(&problem, "what was recorded so far can be read, but the rest is lost: ");
        run_loop_fail(destination->loop, problem);
    }
    if (destination->analyses && consumer_has_finished(destination->consumer) &&
        live_analyses_error(destination->analyses))
        run_loop_fail(destination->loop, g_error_copy(live_analyses_error(destination->analyses)));
    if (!destination->fifo)
        return;
    if (consumer_has_finished(destination->consumer) && !consumer_is_complete(destination->consumer)) {
        int failure = fifo_failure(destination->fifo);

        /* A tool that has died closes the FIFO first; how it died says more. */
        if (!destination->sink_failed_us)
            destination->sink_failed_us = now_us;
        if (!destination->tool || now_us - destination->sink_failed_us > TOOL_DEATH_GRACE_US)
            run_loop_fail(destination->loop,
                          g_error_new(MT_ERROR, MT_ERROR_FAILED,
                                      "%s %s after %" G_GUINT64_FORMAT " records were written to it", reader,
                                      failure == EPIPE ? "closed the FIFO" : g_strerror(failure),
                                      fifo_written_records(destination->fifo)));
        return;
    }
    taken = fifo_written_bytes(destination->fifo) - fifo_unread_bytes(destination->fifo);
    if (taken != destination->stall_mark || !fifo_unread_bytes(destination->fifo)) {
        destination->stall_mark = taken;
        destination->stall_us = now_us;
    } else if (timeout_s && now_us - destination->stall_us > timeout_s * G_USEC_PER_SEC) {
        run_loop_fail(destination->loop,
                      g_error_new(MT_ERROR, MT_ERROR_FAILED, "%s has read nothing for %u s", reader, timeout_s));
    }
}

static bool all_is_taken(void *data)
{
    Destination *destination = data;

    destination_watch(destination);
    return consumer_is_complete(destination->consumer);
}

static bool tool_has_taken_all(void *data)
{
    Destination *destination = data;

    destination_watch(destination);
    if (!fifo_unread_bytes(destination->fifo))
        return tool_is_idle(destination->tool);
    tool_is_busy(destination->tool);
    return false;
}

static bool finish_tool(Destination *destination, GError **error)
{
    const WaitFor until_taken = { .done = tool_has_taken_all,
                                  .data = destination,
                                  .what = "the analysis tool to process what is in the FIFO",
                                  .timeout_s = destination->options->wait_timeout_s,
                                  .poll_ms = 3 };
    const WaitFor until_output = { .done = tool_has_output,
                                   .data = destination->tool,
                                   .what = "the analysis tool's output",
                                   .timeout_s = destination->options->wait_timeout_s,
                                   .poll_ms = 5 };

    if (!run_loop_wait(destination->loop, &until_taken, error))
        return false;
    tool_request_output(destination->tool);
    if (!run_loop_wait(destination->loop, &until_output, error))
        return false;
    g_clear_pointer(&destination->consumer, consumer_free);
    g_clear_pointer(&destination->fifo, fifo_free); /* only now does the tool see the end of the stream */
    tool_dismiss(destination->tool);
    return true;
}

bool destination_finish(Destination *destination, GError **error)
{
    const WaitFor wait = { .done = all_is_taken, .data = destination, .what = "the records to be taken", .poll_ms = 5 };

    if (!destination->consumer)
        return true;
    if (ring_get_state(destination->ring) != RING_STOPPED)
        return mt_fail(error, "the plugin has not seen the markers: records are missing");
    return run_loop_wait(destination->loop, &wait, error) && (!destination->tool || finish_tool(destination, error)) &&
           (!destination->analyses || live_analyses_finish(destination->analyses, error));
}

static bool consumer_is_done(void *data)
{
    return consumer_has_finished(((Destination *)data)->consumer);
}

bool destination_drain(Destination *destination)
{
    g_autoptr(RunLoop) loop = run_loop_nest(destination->loop); /* the run has failed already */
    const WaitFor wait = { .done = consumer_is_done,
                           .data = destination,
                           .what = "the records to be taken",
                           .patience_ms = DRAIN_MS,
                           .poll_ms = 5 };

    return destination->consumer && run_loop_wait(loop, &wait, NULL) && consumer_is_complete(destination->consumer);
}

bool destination_finish_trace(Destination *destination, const char *metadata, GError **error)
{
    return !destination->recording || recording_finish(destination->recording, metadata, error);
}

uint64_t destination_trace_bytes(const Destination *destination)
{
    return destination->recording ? recording_bytes(destination->recording) : 0;
}

const char *destination_tool_output(const Destination *destination)
{
    return destination->tool ? tool_output(destination->tool) : NULL;
}

LiveAnalyses *destination_analyses(const Destination *destination)
{
    return destination->analyses;
}
