/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Waiting. A run is a sequence of steps; between two of them it waits for another process. Meanwhile anything may fail:
 * QEMU or the analysis tool may die, or the user may press Ctrl-C. RunLoop runs the GLib main loop until the
 * condition holds, the first failure is reported, or the time is up, and tells the user what is being waited for.
 *
 * Nothing in it blocks: what is printed goes through threads (printer.h).
 */
#ifndef MEMORY_TRACER_BASE_LOOP_H
#define MEMORY_TRACER_BASE_LOOP_H

#include <glib.h>
#include <stdbool.h>

#include "error.h"

typedef struct RunLoop RunLoop;

/* With `verbose`, run_loop_verbose() prints. Catches SIGINT, SIGTERM, SIGHUP and SIGQUIT, except those that are
 * ignored: see run_loop_set_stoppable(). */
RunLoop *run_loop_new(bool verbose);
/* A loop for a part of the run whose failure doesn't end the run. It is interrupted with the outer one, which must
 * outlive it. One at a time. */
RunLoop *run_loop_nest(RunLoop *outer);
void run_loop_free(RunLoop *loop);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RunLoop, run_loop_free)

/* Makes the current and every later wait fail with `error`, which it takes. Only the first error counts. */
void run_loop_fail(RunLoop *loop, GError *error);

/*
 * A signal makes the loop fail. But while the loop is stoppable, the first signal, or any other reason to stop, is only
 * noted: whoever waits is to end what is being done and to keep its results. A second signal makes the loop fail.
 */
void run_loop_set_stoppable(RunLoop *loop, bool stoppable);
/* Takes `reason`, and tells it to the user. While the loop isn't stoppable, makes it fail. */
void run_loop_ask_to_stop(RunLoop *loop, GError *reason);
/* Why it was asked to stop; NULL if it wasn't. Belongs to the loop. */
const GError *run_loop_stop_reason(const RunLoop *loop);

typedef struct WaitFor {
    bool (*done)(void *data);
    void *data;
    const char *what;     /* completes "waiting for ..." */
    unsigned timeout_s;   /* after this the loop fails; 0: never */
    unsigned patience_ms; /* after this the wait returns false, without an error; 0: never */
    unsigned poll_ms;     /* how often `done` is asked when nothing happens; 0: 50 */
    bool silent;          /* nothing is said about it */
    bool expected;        /* it may well take long: no message about it, unless on a terminal */
} WaitFor;

/* Runs the main loop until `done` holds. False with an error if the loop has failed, and without one if patience_ms
 * have passed. */
bool run_loop_wait(RunLoop *loop, const WaitFor *wait, GError **error);

/* Makes run_loop_wait() check its condition now. From any thread. */
void run_loop_wake(void);

/* On a terminal, `status` tells what to show beside what is being waited for: a string to be freed, or NULL. */
void run_loop_set_status(RunLoop *loop, char *(*status)(void *data), void *data);

/* Somebody types on the terminal: from now on no progress is shown, as it would appear within the typed line. */
void run_loop_hide_progress(RunLoop *loop);
/* A program uses our terminal, in raw mode: no progress is shown, and our lines end with CR LF. */
void run_loop_set_raw(RunLoop *loop, bool raw);

/* Queue bytes for standard output and error. When standard output can't be written to, the loop is asked to stop. */
void run_loop_print(RunLoop *loop, const char *bytes, gsize length);
void run_loop_print_error(RunLoop *loop, const char *bytes, gsize length);
/* Whether more is queued than should be: whoever produces output should wait. */
bool run_loop_is_congested(const RunLoop *loop);
/* Waits until everything queued has been written. False with an error if that failed, now or earlier. */
bool run_loop_flush(RunLoop *loop, GError **error);
/* Waits until everything queued has been written, one second at most, without running the main loop: for callers that
 * are about to change the terminal's mode. */
void run_loop_settle(RunLoop *loop);

/* Prints a line to stderr, taking the progress line away first. */
void run_loop_note(RunLoop *loop, const char *format, ...) G_GNUC_PRINTF(2, 3);
void run_loop_verbose(RunLoop *loop, const char *format, ...) G_GNUC_PRINTF(2, 3);

#endif
