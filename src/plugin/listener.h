/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A listening Unix socket at a path, for this user only. */
#ifndef MEMORY_TRACER_PLUGIN_LISTENER_H
#define MEMORY_TRACER_PLUGIN_LISTENER_H

#include <gio/gio.h>
#include <stdbool.h>
#include <sys/types.h>

typedef struct Listener {
    char *path;
    int fd;
    dev_t device; /* of what is at `path` while it is ours */
    ino_t inode;
} Listener;

/* Of what is at `path` already, only a socket at which nobody listens is replaced. */
bool listener_open(Listener *listener, const char *path, GError **error);
/* Removes what is at the path if it is still ours. */
void listener_close(Listener *listener);

#endif
