/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What both positional command lines print: labels that scripts match (doc/protocols.md). And how every one ends. */
#include <errno.h>
#include <stdio.h>

#include "cmd.h"
#include "run_options.h"

void cmd_print_counts(const RingCounts *counts)
{
    uint64_t missing = counts->events - counts->skipped - counts->written - counts->dropped;

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
    if (options->destination.kind == DESTINATION_TOOL)
        printf("analysis output:\n%s", result->analysis_output);
    if (trace_info && options->destination.kind != DESTINATION_NONE) {
        printf("trace info:\n");
        cmd_print_counts(&result->counts);
    }
    run_options_warn(options, result);
}

int cmd_trace_and_print(const SessionOptions *options, bool trace_info, GError **error)
{
    g_autoptr(Session) session = session_new(options);
    SessionResult result;

    if (!session_run(session, &result, error))
        return -1;
    print_result(options, &result, trace_info);
    if (options->keep_qemu && !session_stay(session, error))
        return -1;
    if (result.signal && !result.timed_out) {
        mt_fail(error, "the workload was killed by signal %d (%s)", result.signal, g_strsignal(result.signal));
        return -1;
    }
    if (result.status)
        fprintf(stderr, "memory_tracer: the workload exited with status %d\n", result.status);
    return 0;
}

int cmd_exit_status(int status, GError *error)
{
    g_autoptr(GError) problem = error;

    if (status >= 0 && fflush(stdout))
        mt_fail(&problem, "can't write to standard output: %s", g_strerror(errno));
    if (!problem)
        return status;
    fprintf(stderr, "memory_tracer: %s\n", problem->message);
    if (g_error_matches(problem, MT_ERROR, MT_ERROR_USAGE))
        return 2;
    return g_error_matches(problem, MT_ERROR, MT_ERROR_INTERRUPTED) ? 130 : 1;
}
