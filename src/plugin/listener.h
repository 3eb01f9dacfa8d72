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
    dev_t device; /* device and inode of our socket at `path` */
    ino_t inode;
} Listener;

/* Listens at `path`. If something is there, it is replaced only if it is a socket at which nobody listens. False with
 * an error. */
bool listener_open(Listener *listener, const char *path, GError **error);
/* Closes the socket, and removes it from the path if it is still ours. */
void listener_close(Listener *listener);

#endif
