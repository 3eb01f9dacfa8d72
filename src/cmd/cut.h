/* SPDX-License-Identifier: GPL-2.0-or-later */
/* New trace files from others, for the verbs that make some. */
#ifndef MEMORY_TRACER_CMD_CUT_H
#define MEMORY_TRACER_CMD_CUT_H

#include "input.h"

/* Writes what is selected of `input`, which must have been opened with MT_COLUMN_ALL, into the trace file `path`: with
 * all fields, instructions, attachments and metadata. `words` is the whole command, for the metadata. Says how many
 * records and bytes it is. */
bool cut_write(Input *input, char **words, const char *path, GError **error);

#endif
