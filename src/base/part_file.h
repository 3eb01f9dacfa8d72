/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file that is written beside its final place and moved there when it is whole. Signals that end us remove it. */
#ifndef MEMORY_TRACER_BASE_PART_FILE_H
#define MEMORY_TRACER_BASE_PART_FILE_H

#include <glib.h>
#include <stdbool.h>

/* Whether `path` is to be written by way of this: it is a regular file, or there is nothing yet. What is special (a
 * device, a FIFO) is never replaced. */
bool part_file_applies(const char *path);
/* Creates a file beside `path`, with a name of its own and the permissions that `path` has or would get, and gives its
 * path, which belongs to this module; NULL with an error. One at a time. A symbolic link stays: the file that it leads
 * to is replaced. */
const char *part_file_begin(const char *path, GError **error);
/* Moves it to its final place. */
bool part_file_commit(GError **error);
/* Removes it. */
void part_file_abandon(void);

#endif
