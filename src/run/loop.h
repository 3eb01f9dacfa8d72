/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Waiting. A run is a sequence of steps; between two of them it waits for another process, and meanwhile anything may
 * fail: QEMU or the analysis tool may die, the user may press Ctrl-C. RunLoop runs the GLib main loop until the
 * condition holds, the first failure is reported, or the time is up, and tells the user what is being waited for.
 */
#ifndef MEMORY_TRACER_RUN_LOOP_H
#define MEMORY_TRACER_RUN_LOOP_H

#include <glib.h>
#include <stdbool.h>

#include "error.h"

typedef struct RunLoop RunLoop;

/* With `verbose`, run_loop_verbose() prints. Catches SIGINT, SIGTERM and SIGHUP as failures. */
RunLoop *run_loop_new(bool verbose);
void run_loop_free(RunLoop *loop);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RunLoop, run_loop_free)

/* Makes the current and every later wait fail. Takes `error`; the first one counts. */
void run_loop_fail(RunLoop *loop, GError *error);

typedef struct WaitFor {
    bool (*done)(void *data);
    void *data;
    const char *what;   /* completes "waiting for ..." */
    unsigned timeout_s; /* 0: none */
    unsigned poll_ms;   /* how often `done` is asked when nothing happens; 0: 50 */
    bool silent;        /* nothing is said about it */
    bool expected;      /* it may well take long: no message about it, unless on a terminal */
} WaitFor;

bool run_loop_wait(RunLoop *loop, const WaitFor *wait, GError **error);

/* Makes run_loop_wait() look at its condition now. From any thread. */
void run_loop_wake(void);

/* What to show beside what is being waited for, on a terminal; the function returns an allocated string or NULL. */
void run_loop_set_status(RunLoop *loop, char *(*status)(void *data), void *data);

/* Prints a line to stderr, taking the progress line away first. */
void run_loop_note(RunLoop *loop, const char *format, ...) G_GNUC_PRINTF(2, 3);
void run_loop_verbose(RunLoop *loop, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* To be called before anything else is printed. */
void run_loop_clear_progress(RunLoop *loop);

#endif
