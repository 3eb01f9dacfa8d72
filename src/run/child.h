/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Child processes: started without a shell, in a process group of their own, and never outliving us. */
#ifndef MEMORY_TRACER_RUN_CHILD_H
#define MEMORY_TRACER_RUN_CHILD_H

#include <gio/gio.h>
#include <stdbool.h>

typedef struct ChildFd {
    int fd;     /* ours: taken */
    int target; /* its number in the child */
} ChildFd;

typedef struct Child Child;

typedef struct ChildHandlers {
    /* A line that it printed, without the line end. May be NULL: then the stream is our stderr. */
    void (*stdout_line)(void *data, const char *line);
    void (*stderr_line)(void *data, const char *line);
    /* It has ended (and everything it printed has been handed over): "exited with status 1", "was killed by signal 9".
     */
    void (*ended)(void *data, const char *how);
    void *data;
} ChildHandlers;

/* Starts argv[0] (looked up in PATH if it has no slash). `fds` ends with fd -1 and may be NULL. Standard input is
 * /dev/null. */
Child *child_start(const char *const *argv, const ChildFd *fds, const ChildHandlers *handlers, GError **error);
/* Kills it and all of its process group, if it still runs, waits for it, and frees. */
void child_free(Child *child);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Child, child_free)

int child_pid(const Child *child); /* 0 if it has ended */
bool child_has_ended(const Child *child);
bool child_succeeded(const Child *child);
void child_signal(Child *child, int signal);
/* Waits at most so long for it to end by itself. */
void child_wait(Child *child, unsigned seconds);
/* As Ctrl-C would: interrupts it and its process group, and gives it some time to clean up. */
void child_interrupt(Child *child, unsigned grace_s);

/* Runs a short-lived program to its end and returns what it printed to stdout, or NULL. Its stderr is in the error. */
char *child_run(const char *const *argv, GError **error);

#endif
