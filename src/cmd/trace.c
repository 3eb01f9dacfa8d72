/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_tracer [options] GUEST_IMAGE SNAPSHOT QEMU: the command line for scripts; what it prints is an interface. */
#include <stdio.h>

#include "../run/image.h"
#include "../run/session.h"
#include "cmd.h"

#define DESCRIPTION                                                                                                    \
    "Verbs:\n"                                                                                                         \
    "  memory_tracer run COMMAND...     trace a program of this machine in the default guest\n"                        \
    "  memory_tracer image build        build the default guest\n"                                                     \
    "  memory_tracer VERB --help        tells more about a verb\n\n"                                                   \
    "QEMU is a qemu-system-x86_64 (10.0 or newer), or a folder that has one. Exit status: 0 done, 1 the run failed,\n" \
    "2 wrong usage, 130 interrupted. The manual: man memory_tracer."

static void print_trace_info(const RingCounts *counts)
{
    uint64_t missing = counts->events - counts->written - counts->dropped;

    printf("trace info:\n");
    if (counts->waiting)
        printf("num_of_events_waiting_in_trace_buf: %" G_GUINT64_FORMAT "\n", counts->waiting);
    printf("num_of_GMBE_events_since_enabling_GMBEOO: %" G_GUINT64_FORMAT "\n", counts->events);
    printf("num_of_events_written_to_trace_buf: %" G_GUINT64_FORMAT "\n", counts->written);
    if (missing)
        printf("num_of_missing_events: %" G_GUINT64_FORMAT "\n", missing);
    printf("actual_tracing_ratio (i.e. num_of_GMBE_events_since_enabling_GMBEOO / num_of_events_written_to_trace_buf): "
           "%" G_GUINT64_FORMAT "\n",
           counts->written ? counts->events / counts->written : 0);
    if (counts->dropped)
        printf("num_of_dropped_events: %" G_GUINT64_FORMAT "\n", counts->dropped);
}

static void print_result(const SessionOptions *options, const SessionResult *result, bool trace_info)
{
    if (result->workload_info && *result->workload_info)
        printf("workload info:\n%s\n", result->workload_info);
    printf("tracing_duration_in_milliseconds: %" G_GUINT64_FORMAT "\n", result->traced_ns / 1000000);
    if (options->destination == DESTINATION_TOOL)
        printf("analysis output:\n%s", result->analysis_output);
    if (trace_info && options->destination != DESTINATION_NONE)
        print_trace_info(&result->counts);
    if (result->counts.dropped)
        fprintf(stderr,
                "memory_tracer: ATTENTION: %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " records were dropped\n",
                result->counts.dropped, result->counts.events);
}

int cmd_trace(int argc, char **argv, GError **error)
{
    g_autofree char *on_guest = NULL, *on_host = NULL, *tool = NULL, *fifo = NULL, *when_full = NULL;
    gboolean dont_trace = FALSE, user_only = FALSE, speaks = FALSE, trace_info = FALSE, verbose = FALSE;
    int ram_mb = 0, wait_timeout_s = SESSION_DEFAULT_WAIT_TIMEOUT_S;
    const GOptionEntry entries[] = {
        { "workload_path_on_guest", 0, 0, G_OPTION_ARG_FILENAME, &on_guest, "The workload is this program in the guest",
          "PATH" },
        { "workload_path_on_host", 0, 0, G_OPTION_ARG_FILENAME, &on_host,
          "The workload is this program (ELF or script) of this machine", "PATH" },
        { "analysis_tool_path", 0, 0, G_OPTION_ARG_FILENAME, &tool, "Start this program and let it read the trace",
          "PATH" },
        { "trace_fifo_path", 0, 0, G_OPTION_ARG_FILENAME, &fifo, "Write the trace into this FIFO", "PATH" },
        { "dont_trace", 0, 0, G_OPTION_ARG_NONE, &dont_trace, "Run the same without tracing, for comparison", NULL },
        { "trace_only_CPL3_code_GMBE", 0, 0, G_OPTION_ARG_NONE, &user_only, "Trace user code only, not the kernel",
          NULL },
        { "dont_add_communications_with_host_to_workload", 0, 0, G_OPTION_ARG_NONE, &speaks,
          "The workload says itself when to start and to stop tracing", NULL },
        { "when_full", 0, 0, G_OPTION_ARG_STRING, &when_full,
          "When the reader is too slow: block the guest (lossless, the default), or drop records and count them",
          "block|drop" },
        { "print_trace_info", 0, 0, G_OPTION_ARG_NONE, &trace_info, "Print how many accesses there were", NULL },
        { "guest_RAM_in_MBs", 0, 0, G_OPTION_ARG_INT, &ram_mb,
          "The guest's RAM, which must be the snapshot's (default: what the image was made with, else 2560)", "MB" },
        { "wait_timeout", 0, 0, G_OPTION_ARG_INT, &wait_timeout_s,
          "Give up when the workload, a reader or the tool keeps us waiting so long (default: 600; 0: never)",
          "SECONDS" },
        { "verbose", 'v', 0, G_OPTION_ARG_NONE, &verbose, "Tell on stderr what is being done", NULL },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    SessionOptions options = { 0 };
    SessionResult result;
    int status = 0;

    if (!cmd_parse_options(
            &argc, &argv, entries, "GUEST_IMAGE SNAPSHOT QEMU",
            "Runs a workload in a QEMU guest and delivers every memory access of the guest, kernel and user.",
            DESCRIPTION, false, error))
        return -1;
    if (argc != 4) {
        mt_fail_usage(error, "GUEST_IMAGE, SNAPSHOT and QEMU are needed, or a verb: run, image (see --help)");
        return -1;
    }
    if (!on_guest == !on_host) {
        mt_fail_usage(error, "exactly one of --workload_path_on_guest and --workload_path_on_host is needed");
        return -1;
    }
    if (!!tool + !!fifo + !!dont_trace != 1) {
        mt_fail_usage(error, "exactly one of --analysis_tool_path, --trace_fifo_path and --dont_trace is needed");
        return -1;
    }
    if (when_full && g_strcmp0(when_full, "block") && g_strcmp0(when_full, "drop")) {
        mt_fail_usage(error, "when_full must be block or drop, but %s isn't.", when_full);
        return -1;
    }
    if (ram_mb < 0 || wait_timeout_s < 0) {
        mt_fail_usage(error, "%s can't be negative", ram_mb < 0 ? "guest_RAM_in_MBs" : "wait_timeout");
        return -1;
    }

    const char *workload[] = { on_host ? on_host : on_guest, NULL };
    options = (SessionOptions){
        .image = argv[1],
        .snapshot = argv[2],
        .qemu = argv[3],
        .workload = workload,
        .workload_is_on_host = on_host,
        .workload_speaks = speaks,
        .destination = tool   ? DESTINATION_TOOL
                       : fifo ? DESTINATION_FIFO
                              : DESTINATION_NONE,
        .destination_path = tool ? tool : fifo,
        .user_only = user_only,
        .drop_when_full = !g_strcmp0(when_full, "drop"),
        .ram_mb = (unsigned)ram_mb,
        .wait_timeout_s = (unsigned)wait_timeout_s,
        .verbose = verbose,
    };
    if (!session_run(&options, &result, error))
        return -1;
    print_result(&options, &result, trace_info);
    if (result.signal) {
        mt_fail(error, "the workload was killed by signal %d (%s)", result.signal, g_strsignal(result.signal));
        status = -1;
    } else if (result.status) {
        fprintf(stderr, "memory_tracer: the workload exited with status %d\n", result.status);
    }
    session_result_clear(&result);
    return status;
}
