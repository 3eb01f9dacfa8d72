/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waiting for other processes: see loop.h. */
#include "loop.h"

#include <errno.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "printer.h"

#define SAY_AFTER_US (5 * G_USEC_PER_SEC)
#define PROGRESS_AFTER_US G_USEC_PER_SEC
#define PROGRESS_EVERY_US (G_USEC_PER_SEC / 4)
#define DEFAULT_POLL_MS 50
/* Queued output that makes others wait, and the least that makes progress lines be left out. */
#define CONGESTED_BYTES (1u << 20)
#define CLEAR_PROGRESS "\r\033[K"
#define LAST_WORDS_MS 1000
#define FLUSH_PATIENCE_MS 1000

struct RunLoop {
    RunLoop *outer, *nested;
    GError *failure, *stop_reason;
    bool verbose, terminal, progress_shown, stoppable, output_failed, raw, hides_progress;
    gint64 progress_us; /* when it was last shown */
    sigset_t mask_before;
    int signals; /* a signalfd; -1 in a nested loop */
    guint signal_source;
    Printer *output, *errors; /* the outer loop's in a nested one; one and the same if both go to the same place */
    char *(*status)(void *data);
    void *status_data;
};

/* Signals. */

static bool read_signal(RunLoop *loop)
{
    struct signalfd_siginfo info;

    return read(loop->signals, &info, sizeof info) == sizeof info;
}

static gboolean on_signal(gint fd, GIOCondition condition, gpointer data)
{
    RunLoop *loop = data;

    (void)fd;
    (void)condition;
    while (read_signal(loop)) {
        GError *interrupted = g_error_new_literal(MT_ERROR, MT_ERROR_INTERRUPTED, "interrupted");

        if (loop->nested)
            run_loop_fail(loop->nested, g_error_copy(interrupted));
        if (loop->stop_reason)
            run_loop_fail(loop, interrupted);
        else
            run_loop_ask_to_stop(loop, interrupted);
    }
    return G_SOURCE_CONTINUE;
}

static void catch_signals(RunLoop *loop)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
    sigset_t caught;

    sigemptyset(&caught);
    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++) {
        struct sigaction before;

        if (!sigaction(numbers[i], NULL, &before) && before.sa_handler != SIG_IGN) /* nohup */
            sigaddset(&caught, numbers[i]);
    }
    pthread_sigmask(SIG_BLOCK, &caught, &loop->mask_before); /* threads that are started later inherit it */
    loop->signals = signalfd(-1, &caught, SFD_NONBLOCK | SFD_CLOEXEC);
    loop->signal_source = g_unix_fd_add(loop->signals, G_IO_IN, on_signal, loop);
    signal(SIGPIPE, SIG_IGN); /* a reader's or QEMU's death is told by write() */
}

static void release_signals(RunLoop *loop)
{
    while (read_signal(loop)) /* else it would be delivered now */
        ;
    g_source_remove(loop->signal_source);
    close(loop->signals);
    pthread_sigmask(SIG_SETMASK, &loop->mask_before, NULL);
}

/* Whether both are descriptors of one terminal, pipe or file: then what is written to them must keep its order. */
static bool are_the_same(int one, int other)
{
    struct stat a, b;

    return !fstat(one, &a) && !fstat(other, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* The loop. */

RunLoop *run_loop_new(bool verbose)
{
    RunLoop *loop = g_new0(RunLoop, 1);

    loop->verbose = verbose;
    loop->terminal = isatty(STDERR_FILENO);
    catch_signals(loop);
    loop->output = printer_new(STDOUT_FILENO);
    loop->errors = are_the_same(STDOUT_FILENO, STDERR_FILENO) ? loop->output : printer_new(STDERR_FILENO);
    return loop;
}

RunLoop *run_loop_nest(RunLoop *outer)
{
    RunLoop *loop = g_new0(RunLoop, 1);

    loop->outer = outer;
    loop->verbose = outer->verbose;
    loop->terminal = outer->terminal;
    loop->signals = -1;
    loop->output = outer->output;
    loop->errors = outer->errors;
    outer->nested = loop;
    return loop;
}

static void clear_progress(RunLoop *loop)
{
    if (loop->progress_shown)
        printer_write(loop->errors, CLEAR_PROGRESS, strlen(CLEAR_PROGRESS));
    loop->progress_shown = false;
}

void run_loop_free(RunLoop *loop)
{
    if (!loop)
        return;
    clear_progress(loop);
    if (loop->outer) {
        loop->outer->nested = NULL;
    } else {
        printer_free(loop->output, LAST_WORDS_MS);
        if (loop->errors != loop->output)
            printer_free(loop->errors, LAST_WORDS_MS);
        release_signals(loop);
    }
    g_clear_error(&loop->failure);
    g_clear_error(&loop->stop_reason);
    g_free(loop);
}

void run_loop_fail(RunLoop *loop, GError *error)
{
    if (loop->failure)
        g_error_free(error);
    else
        loop->failure = error;
}

void run_loop_set_stoppable(RunLoop *loop, bool stoppable)
{
    loop->stoppable = stoppable;
}

void run_loop_ask_to_stop(RunLoop *loop, GError *reason)
{
    if (!loop->stoppable) {
        run_loop_fail(loop, reason);
    } else if (loop->stop_reason) {
        g_error_free(reason);
    } else {
        loop->stop_reason = reason;
        run_loop_note(loop, "%s: stopping; what was traced is kept (%s: give up at once)", reason->message,
                      loop->raw ? "Ctrl-]" : "Ctrl-C");
    }
}

const GError *run_loop_stop_reason(const RunLoop *loop)
{
    return loop->stop_reason;
}

void run_loop_set_status(RunLoop *loop, char *(*status)(void *data), void *data)
{
    loop->status = status;
    loop->status_data = data;
}

void run_loop_hide_progress(RunLoop *loop)
{
    loop->hides_progress = true;
    loop->progress_shown = false; /* the typed line's end has left it behind */
}

void run_loop_set_raw(RunLoop *loop, bool raw)
{
    loop->raw = raw;
}

static void show_progress(RunLoop *loop, const char *what, gint64 waited_us)
{
    g_autofree char *status = loop->status ? loop->status(loop->status_data) : NULL;
    g_autofree char *line =
        g_strdup_printf(CLEAR_PROGRESS "waiting for %s (%d s)%s%s", what, (int)(waited_us / G_USEC_PER_SEC),
                        status ? ": " : "", status ? status : "");

    if (printer_waiting(loop->errors))
        return; /* the terminal is blocked */
    printer_write(loop->errors, line, strlen(line));
    loop->progress_shown = true;
}

static gboolean on_tick(gpointer data)
{
    (void)data;
    return G_SOURCE_CONTINUE; /* it only wakes the main loop up, so that the condition is checked */
}

static GError *output_error(int failure)
{
    return g_error_new(MT_ERROR, failure == EPIPE ? MT_ERROR_OUTPUT_CLOSED : MT_ERROR_FAILED,
                       "can't write to standard output: %s", g_strerror(failure));
}

static void watch_output(RunLoop *loop)
{
    int failure = printer_failure(loop->output);

    if (!failure || loop->output_failed)
        return;
    loop->output_failed = true;
    run_loop_ask_to_stop(loop, output_error(failure));
}

/* Tells the user what is being waited for: on a terminal again and again, else once. */
static void tell(RunLoop *loop, const WaitFor *wait, gint64 waited_us, bool *said)
{
    gint64 now_us = g_get_monotonic_time();

    if (wait->silent || loop->raw || loop->hides_progress)
        return;
    if (loop->terminal && waited_us >= PROGRESS_AFTER_US && now_us - loop->progress_us >= PROGRESS_EVERY_US) {
        loop->progress_us = now_us;
        show_progress(loop, wait->what, waited_us);
    } else if (!loop->terminal && !wait->expected && !*said && waited_us >= SAY_AFTER_US) {
        *said = true;
        run_loop_note(loop, "waiting for %s", wait->what);
    }
}

bool run_loop_wait(RunLoop *loop, const WaitFor *wait, GError **error)
{
    gint64 began_us = g_get_monotonic_time();
    guint tick = g_timeout_add(wait->poll_ms ? wait->poll_ms : DEFAULT_POLL_MS, on_tick, NULL);
    bool said = false, done = false;

    while (!loop->failure && !(done = wait->done(wait->data)) && !loop->failure) {
        gint64 waited_us = g_get_monotonic_time() - began_us;

        if (wait->patience_ms && waited_us >= wait->patience_ms * G_TIME_SPAN_MILLISECOND)
            break;
        if (wait->timeout_s && waited_us >= wait->timeout_s * G_USEC_PER_SEC) {
            run_loop_fail(loop, g_error_new(MT_ERROR, MT_ERROR_FAILED, "gave up waiting for %s after %u s", wait->what,
                                            wait->timeout_s));
            break;
        }
        tell(loop, wait, waited_us, &said);
        g_main_context_iteration(NULL, TRUE);
        watch_output(loop->outer ? loop->outer : loop);
    }
    g_source_remove(tick);
    clear_progress(loop);
    if (!done && error && loop->failure)
        *error = g_error_copy(loop->failure);
    return done;
}

void run_loop_wake(void)
{
    g_main_context_wakeup(NULL);
}

/* Printing. */

void run_loop_print(RunLoop *loop, const char *bytes, gsize length)
{
    clear_progress(loop);
    printer_write(loop->output, bytes, length);
}

void run_loop_print_error(RunLoop *loop, const char *bytes, gsize length)
{
    clear_progress(loop);
    printer_write(loop->errors, bytes, length);
}

bool run_loop_is_congested(const RunLoop *loop)
{
    return printer_waiting(loop->output) >= CONGESTED_BYTES || printer_waiting(loop->errors) >= CONGESTED_BYTES;
}

static bool all_is_written(void *data)
{
    RunLoop *loop = data;

    return !printer_waiting(loop->output) && !printer_waiting(loop->errors);
}

bool run_loop_flush(RunLoop *loop, GError **error)
{
    const WaitFor wait = { .done = all_is_written,
                           .data = loop,
                           .what = "the output to be read",
                           .patience_ms = FLUSH_PATIENCE_MS,
                           .silent = true };
    gsize before, waiting = G_MAXSIZE;
    int output, errors;

    do {
        before = waiting;
        if (!run_loop_wait(loop, &wait, error) && loop->failure)
            return false;
        waiting = printer_waiting(loop->output) + printer_waiting(loop->errors);
        /* Whoever has asked us to stop doesn't want to wait for a reader that takes nothing. */
    } while (waiting && (!loop->stop_reason || waiting < before));
    if (waiting) {
        g_propagate_error(error, g_error_copy(loop->stop_reason));
        return false;
    }
    output = printer_failure(loop->output);
    errors = printer_failure(loop->errors);
    if (output)
        g_propagate_error(error, output_error(output));
    else if (errors)
        mt_fail(error, "can't write to standard error: %s", g_strerror(errors));
    return !output && !errors;
}

void run_loop_settle(RunLoop *loop)
{
    for (unsigned waited = 0; !all_is_written(loop) && waited < LAST_WORDS_MS; waited++)
        g_usleep(1000);
}

static void G_GNUC_PRINTF(2, 0) print_line(RunLoop *loop, const char *format, va_list arguments)
{
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    g_autofree char *line = g_strdup_printf("memory_tracer: %s%s", text, loop->raw && loop->terminal ? "\r\n" : "\n");

    run_loop_print_error(loop, line, strlen(line));
}

void run_loop_note(RunLoop *loop, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    print_line(loop, format, arguments);
    va_end(arguments);
}

void run_loop_verbose(RunLoop *loop, const char *format, ...)
{
    va_list arguments;

    if (!loop->verbose)
        return;
    va_start(arguments, format);
    print_line(loop, format, arguments);
    va_end(arguments);
}
