/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file that is written beside its final place and moved there when it is whole. Signals that end us remove it. */
#ifndef MEMORY_TRACER_CMD_PART_FILE_H
#define MEMORY_TRACER_CMD_PART_FILE_H

#include <glib.h>
#include <stdbool.h>

/* Gives the path to write to. One at a time. The string belongs to this module. */
const char *part_file_begin(const char *path);
/* Moves it to its final place. */
bool part_file_commit(GError **error);
/* Removes it. */
void part_file_abandon(void);

#endif
