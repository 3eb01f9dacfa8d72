/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Child processes: started without a shell, in a process group of their own, and never outliving us. */
#ifndef MEMORY_TRACER_BASE_CHILD_H
#define MEMORY_TRACER_BASE_CHILD_H

#include <glib.h>
#include <stdbool.h>

#include "loop.h"

typedef struct ChildFd {
    int fd;     /* ours: taken */
    int target; /* its number in the child, above 2 */
} ChildFd;

typedef struct Child Child;

typedef struct ChildHandlers {
    /* Some bytes that it printed, as they came. NULL (and no stdout_line): its standard output is our standard error.
     */
    void (*stdout_bytes)(void *data, const char *bytes, gsize length);
    /* A line that it printed, without the line end; a very long one comes in pieces. NULL: the stream is our standard
     * error. */
    void (*stdout_line)(void *data, const char *line); /* instead of stdout_bytes */
    void (*stderr_line)(void *data, const char *line);
    /* It has ended, and everything that it printed has been handed over. `how`: "exited with status 1", "was killed by
     * signal 9". */
    void (*ended)(void *data, const char *how);
    void *data;
    bool callers_limits; /* it is a program of the caller's, with his resource limits: see limits.h */
} ChildHandlers;

/* Starts argv[0] (looked up in PATH if it has no slash). `fds` ends with fd -1 and may be NULL; its descriptors are
 * closed here in any case. `handlers` is copied; they are called from the main loop. Standard input is /dev/null. NULL
 * with an error if it can't be started. */
Child *child_start(const char *const *argv, const ChildFd *fds, const ChildHandlers *handlers, GError **error);
/* Kills it and its process group, if anything of them still runs, and frees. NULL is fine. */
void child_free(Child *child);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Child, child_free)

int child_pid(const Child *child); /* 0 if it has ended */
bool child_has_ended(const Child *child);
bool child_succeeded(const Child *child);
/* Somebody has stopped it (SIGSTOP). */
bool child_is_stopped(const Child *child);
void child_signal(Child *child, int signal);
/* Waits at most this long for it to end by itself. */
void child_wait(Child *child, unsigned seconds);
/* As Ctrl-C would: interrupts it and its process group, and gives it some time to clean up. */
void child_interrupt(Child *child, unsigned grace_s);

/* Runs a short-lived program to its end. Returns what it printed to stdout, to be freed; NULL with an error, which has
 * its stderr, if it failed or took too long. */
char *child_run(const char *const *argv, RunLoop *loop, GError **error);

#endif
