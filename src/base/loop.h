/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Waiting. A run is a sequence of steps; between two of them it waits for another process, and meanwhile anything may
 * fail: QEMU or the analysis tool may die, the user may press Ctrl-C. RunLoop runs the GLib main loop until the
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

/* With `verbose`, run_loop_verbose() prints. Catches SIGINT, SIGTERM, SIGHUP and SIGQUIT, but for those
 * that are ignored: see run_loop_set_stoppable(). */
RunLoop *run_loop_new(bool verbose);
/* A loop for a part of the run whose failure doesn't end the run. It is interrupted with the outer one, which must
 * outlive it. One at a time. */
RunLoop *run_loop_nest(RunLoop *outer);
void run_loop_free(RunLoop *loop);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RunLoop, run_loop_free)

/* Makes the current and every later wait fail. Takes `error`; the first one counts. */
void run_loop_fail(RunLoop *loop, GError *error);

/*
 * A signal fails the loop. But while it is stoppable, the first one, and any other reason to stop, is only kept: it is
 * for whoever waits to end what is being done and to keep its results. A second signal fails the loop.
 */
void run_loop_set_stoppable(RunLoop *loop, bool stoppable);
/* Takes `reason`, and tells it. */
void run_loop_ask_to_stop(RunLoop *loop, GError *reason);
/* Why somebody asked to stop; NULL if nobody has. */
const GError *run_loop_stop_reason(const RunLoop *loop);

typedef struct WaitFor {
    bool (*done)(void *data);
    void *data;
    const char *what;     /* completes "waiting for ..." */
    unsigned timeout_s;   /* then the loop fails; 0: never */
    unsigned patience_ms; /* then the wait returns false, without an error; 0: never */
    unsigned poll_ms;     /* how often `done` is asked when nothing happens; 0: 50 */
    bool silent;          /* nothing is said about it */
    bool expected;        /* it may well take long: no message about it, unless on a terminal */
} WaitFor;

bool run_loop_wait(RunLoop *loop, const WaitFor *wait, GError **error);

/* Makes run_loop_wait() look at its condition now. From any thread. */
void run_loop_wake(void);

/* What to show beside what is being waited for, on a terminal; the function returns an allocated string or NULL. */
void run_loop_set_status(RunLoop *loop, char *(*status)(void *data), void *data);

/* Somebody types on the terminal: from now on no progress is shown, which would stand in the typed line. */
void run_loop_hide_progress(RunLoop *loop);
/* Our terminal is a program's, and raw: no progress is shown, and lines are ended as it needs. */
void run_loop_set_raw(RunLoop *loop, bool raw);

/* Queue bytes for standard output and error. When standard output can't be written to, the loop is asked to stop. */
void run_loop_print(RunLoop *loop, const char *bytes, gsize length);
void run_loop_print_error(RunLoop *loop, const char *bytes, gsize length);
/* So much is queued that whoever makes it should wait. */
bool run_loop_is_congested(const RunLoop *loop);
/* Waits until all has been written. Fails if it can't be, now or before. */
bool run_loop_flush(RunLoop *loop, GError **error);
/* Waits until what has been printed is written, a second at most, and nothing else goes on meanwhile: for those who
 * change the terminal's mode. */
void run_loop_settle(RunLoop *loop);

/* Prints a line to stderr, taking the progress line away first. */
void run_loop_note(RunLoop *loop, const char *format, ...) G_GNUC_PRINTF(2, 3);
void run_loop_verbose(RunLoop *loop, const char *format, ...) G_GNUC_PRINTF(2, 3);

#endif
