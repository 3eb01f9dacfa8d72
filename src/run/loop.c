/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waiting for other processes: see loop.h. */
#include "loop.h"

#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define SAY_AFTER_US (5 * G_USEC_PER_SEC)
#define PROGRESS_AFTER_US G_USEC_PER_SEC
#define PROGRESS_EVERY_US (G_USEC_PER_SEC / 4)
#define DEFAULT_POLL_MS 50

struct RunLoop {
    GError *failure;
    bool verbose, terminal, progress_shown;
    gint64 progress_us; /* when it was last shown */
    guint signals[3];
    char *(*status)(void *data);
    void *status_data;
};

static gboolean on_signal(gpointer data)
{
    run_loop_fail(data, g_error_new_literal(MT_ERROR, MT_ERROR_INTERRUPTED, "interrupted"));
    return G_SOURCE_CONTINUE;
}

RunLoop *run_loop_new(bool verbose)
{
    RunLoop *loop = g_new0(RunLoop, 1);

    loop->verbose = verbose;
    loop->terminal = isatty(STDERR_FILENO);
    loop->signals[0] = g_unix_signal_add(SIGINT, on_signal, loop);
    loop->signals[1] = g_unix_signal_add(SIGTERM, on_signal, loop);
    loop->signals[2] = g_unix_signal_add(SIGHUP, on_signal, loop);
    return loop;
}

void run_loop_free(RunLoop *loop)
{
    if (!loop)
        return;
    run_loop_clear_progress(loop);
    for (guint i = 0; i < G_N_ELEMENTS(loop->signals); i++)
        g_source_remove(loop->signals[i]);
    g_clear_error(&loop->failure);
    g_free(loop);
}

void run_loop_fail(RunLoop *loop, GError *error)
{
    if (loop->failure)
        g_error_free(error);
    else
        loop->failure = error;
}

void run_loop_set_status(RunLoop *loop, char *(*status)(void *data), void *data)
{
    loop->status = status;
    loop->status_data = data;
}

void run_loop_clear_progress(RunLoop *loop)
{
    if (loop->progress_shown)
        fputs("\r\033[K", stderr);
    loop->progress_shown = false;
}

static void show_progress(RunLoop *loop, const char *what, gint64 waited_us)
{
    g_autofree char *status = loop->status ? loop->status(loop->status_data) : NULL;

    fprintf(stderr, "\r\033[Kwaiting for %s (%d s)%s%s", what, (int)(waited_us / G_USEC_PER_SEC), status ? ": " : "",
            status ? status : "");
    fflush(stderr);
    loop->progress_shown = true;
}

static gboolean on_tick(gpointer data)
{
    (void)data;
    return G_SOURCE_CONTINUE; /* it is enough that the loop has turned */
}

bool run_loop_wait(RunLoop *loop, const WaitFor *wait, GError **error)
{
    gint64 began_us = g_get_monotonic_time();
    guint tick = g_timeout_add(wait->poll_ms ? wait->poll_ms : DEFAULT_POLL_MS, on_tick, NULL);
    bool said = wait->expected || wait->silent, done;

    while (!(done = !loop->failure && wait->done(wait->data)) && !loop->failure) {
        gint64 now_us = g_get_monotonic_time(), waited_us = now_us - began_us;

        if (wait->timeout_s && waited_us >= wait->timeout_s * G_USEC_PER_SEC) {
            run_loop_fail(loop, g_error_new(MT_ERROR, MT_ERROR_FAILED, "gave up waiting for %s after %u s", wait->what,
                                            wait->timeout_s));
            break;
        }
        if (loop->terminal && !wait->silent && waited_us >= PROGRESS_AFTER_US &&
            now_us - loop->progress_us >= PROGRESS_EVERY_US) {
            loop->progress_us = now_us;
            show_progress(loop, wait->what, waited_us);
        } else if (!loop->terminal && !said && waited_us >= SAY_AFTER_US) {
            said = true;
            run_loop_note(loop, "waiting for %s", wait->what);
        }
        g_main_context_iteration(NULL, TRUE);
    }
    g_source_remove(tick);
    run_loop_clear_progress(loop);
    if (!done && error)
        *error = g_error_copy(loop->failure);
    return done;
}

void run_loop_wake(void)
{
    g_main_context_wakeup(NULL);
}

static void G_GNUC_PRINTF(2, 0) print_line(RunLoop *loop, const char *format, va_list arguments)
{
    g_autofree char *line = g_strdup_vprintf(format, arguments);

    run_loop_clear_progress(loop);
    fprintf(stderr, "memory_tracer: %s\n", line);
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
