/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file that is written beside its final place and moved there when it is whole. Signals that end us remove it. */
#ifndef MEMORY_TRACER_BASE_PART_FILE_H
#define MEMORY_TRACER_BASE_PART_FILE_H

#include <glib.h>
#include <stdbool.h>

/* Whether `path` can be written in this way: it is a regular file, or doesn't exist yet. Devices and FIFOs are never
 * replaced. */
bool part_file_applies(const char *path);
/* Creates a file beside `path`, with a name of its own and the permissions that `path` has or would get. Returns its
 * path, which belongs to this module; NULL with an error. There can be only one at a time. If `path` is a symbolic
 * link, the link stays, and the file that it leads to is replaced. */
const char *part_file_begin(const char *path, GError **error);
/* Moves it to its final place. False with an error if that failed; the file is removed then. */
bool part_file_commit(GError **error);
/* Removes it. */
void part_file_abandon(void);

#endif
