/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What both positional command lines print, with labels that scripts match (doc/protocols.md); and the exit status of
 * every command line. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/limits.h"
#include "../base/printable.h"
#include "../base/printer.h"
#include "cmd.h"
#include "run_options.h"

#define LAST_WORDS_MS 2000

void cmd_format_counts(GString *text, const RingCounts *counts)
{
    uint64_t missing = counts->events - counts->skipped - counts->written - counts->dropped;

    if (counts->waiting)
        g_string_append_printf(text, "num_of_events_waiting_in_trace_buf: %" G_GUINT64_FORMAT "\n", counts->waiting);
    g_string_append_printf(text, "num_of_GMBE_events_since_enabling_GMBEOO: %" G_GUINT64_FORMAT "\n", counts->events);
    g_string_append_printf(text, "num_of_events_written_to_trace_buf: %" G_GUINT64_FORMAT "\n", counts->written);
    if (missing)
        g_string_append_printf(text, "num_of_missing_events: %" G_GUINT64_FORMAT "\n", missing);
    g_string_append_printf(text,
                           "actual_tracing_ratio (i.e. num_of_GMBE_events_since_enabling_GMBEOO / "
                           "num_of_events_written_to_trace_buf): %" G_GUINT64_FORMAT "\n",
                           counts->written ? counts->events / counts->written : 0);
    if (counts->dropped)
        g_string_append_printf(text, "num_of_dropped_events: %" G_GUINT64_FORMAT "\n", counts->dropped);
}

static void format_output(GString *text, const char *output)
{
    g_autofree char *trimmed = g_strstrip(g_strdup(output));

    g_string_append_printf(text, "analysis output:\n%s%s", trimmed, *trimmed ? "\n" : "");
}

static void print_result(Session *session, const SessionOptions *options, const SessionResult *result, bool trace_info)
{
    g_autoptr(GString) text = g_string_new(NULL);

    if (result->workload_info && *result->workload_info)
        g_string_append_printf(text, "workload info:\n%s\n", result->workload_info);
    g_string_append_printf(text, "tracing_duration_in_milliseconds: %" G_GUINT64_FORMAT "\n",
                           result->traced_ns / 1000000);
    if (options->destination.kind == DESTINATION_TOOL)
        format_output(text, result->analysis_output);
    if (trace_info && options->destination.kind != DESTINATION_NONE) {
        g_string_append(text, "trace info:\n");
        cmd_format_counts(text, &result->counts);
    }
    session_print(session, text);
}

int cmd_trace_and_print(const SessionOptions *options, bool trace_info, GError **error)
{
    g_autoptr(Session) session = session_new(options);
    g_autoptr(GString) warnings = g_string_new(NULL);
    g_autoptr(GError) problem = NULL;
    SessionResult result;

    if (!session_run(session, &result, &problem)) {
        if (g_error_matches(problem, MT_ERROR, MT_ERROR_NOT_EXECUTABLE) ||
            g_error_matches(problem, MT_ERROR, MT_ERROR_NOT_FOUND))
            problem->code = MT_ERROR_FAILED; /* scripts know 1 for that */
        g_propagate_error(error, g_steal_pointer(&problem));
        return -1;
    }
    print_result(session, options, &result, trace_info);
    run_options_append_warnings(warnings, options, &result);
    if (result.status && !result.stopped)
        g_string_append_printf(warnings, "memory_tracer: the workload exited with status %d\n", result.status);
    session_print_error(session, warnings);
    if (!session_flush(session, error))
        return -1;
    if (options->keep_qemu && !result.stopped && !session_stay(session, error))
        return -1;
    if (result.stopped) {
        g_propagate_error(error, g_error_copy(result.stopped));
        return -1;
    }
    if (result.signal && !result.timed_out) {
        mt_fail(error, "the workload was killed by signal %d (%s)", result.signal, g_strsignal(result.signal));
        return -1;
    }
    return 0;
}

/* GLib's fatal errors (no memory, no thread, no pipe) are printed like all other errors. */
static void on_glib_message(const char *domain, GLogLevelFlags level, const char *message, gpointer data)
{
    g_autofree char *limit = limits_explain(message);

    if (!(level & G_LOG_FLAG_FATAL)) {
        g_log_default_handler(domain, level, message, data);
        return;
    }
    fprintf(stderr, "memory_tracer: %s%s\n", message, limit);
    _exit(1);
}

static bool is_done; /* cmd_exit_status() was called: nothing is left to be said */

/* Says what cmd_exit_status() would, where something else ends the process: --help and --version. */
static void check_standard_output(void)
{
    if (!is_done && cmd_exit_status(0, NULL))
        _exit(1);
}

void cmd_set_up_process(void)
{
    limits_raise();
    g_log_set_default_handler(on_glib_message, NULL);
    signal(SIGXFSZ, SIG_IGN); /* an error of write() */
    /* A file that is opened later would get a closed stream's number. Results that can't be printed are an error (so 1
     * is opened for reading only); messages that can't be printed are not: whoever closes standard error doesn't want
     * them. */
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            (void)!open("/dev/null", fd == STDOUT_FILENO ? O_RDONLY : O_WRONLY);
    atexit(check_standard_output);
}

/* A last line, for which nobody waits long. */
static void print_last_words(const char *message)
{
    g_autofree char *limit = limits_explain(message);
    g_autofree char *printable = text_make_printable(message); /* it may have a file's name, and what a file says */
    g_autofree char *line = g_strdup_printf("memory_tracer: %s%s\n", printable, limit);
    Printer *printer = printer_new(STDERR_FILENO);

    printer_write(printer, line, strlen(line));
    printer_free(printer, LAST_WORDS_MS);
}

static bool fail_to_print(GError **error)
{
    return mt_fail(error, "can't write to standard output: %s", g_strerror(errno));
}

bool cmd_print(const char *bytes, gsize length, GError **error)
{
    return fwrite(bytes, 1, length, stdout) == length || fail_to_print(error);
}

int cmd_exit_status(int status, GError *error)
{
    g_autoptr(GError) problem = error;

    is_done = true;
    if (status >= 0 && fflush(stdout))
        fail_to_print(&problem);
    else if (status >= 0 && ferror(stdout)) /* an earlier write has failed, and the buffer no longer has its bytes */
        mt_fail(&problem, "can't write to standard output");
    if (!problem)
        return status;
    /* A member of a pipeline whose reader has gone ends without a message. */
    if (g_error_matches(problem, MT_ERROR, MT_ERROR_OUTPUT_CLOSED))
        return 128 + SIGPIPE;
    print_last_words(problem->message);
    if (problem->domain != MT_ERROR)
        return 1;
    switch ((MtError)problem->code) {
    case MT_ERROR_USAGE:
        return 2;
    case MT_ERROR_NOT_EXECUTABLE:
        return 126;
    case MT_ERROR_NOT_FOUND:
        return 127;
    case MT_ERROR_INTERRUPTED:
        return 130;
    default:
        return 1;
    }
}
