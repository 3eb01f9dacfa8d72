/* SPDX-License-Identifier: GPL-2.0-or-later */
/* New trace files from others: with all fields, instructions and attachments, and metadata that say what they were made
 * of. */
#ifndef MEMORY_TRACER_SOURCE_DERIVE_H
#define MEMORY_TRACER_SOURCE_DERIVE_H

#include "input.h"

/* What becomes of the inputs' vCPUs: they keep their numbers, each input's are others, or all are vCPU 0. */
typedef enum { VCPUS_KEEP, VCPUS_RENUMBER, VCPUS_ONE } VcpuPolicy;

/* Writes what is selected of the inputs (Input, each opened with MT_COLUMN_ALL and _TASK) into the trace file `path`:
 * by their times if all tell them, else one after the other. `words` is the whole command, for the metadata. Says how
 * many records and bytes it is. */
bool derive_file(GPtrArray *inputs, VcpuPolicy policy, char **words, const char *path, GError **error);
/* The same of one input, for those who take care of the file's name themselves (base/part_file.h). */
bool derive_part(Input *input, char **words, const char *path, GError **error);

#endif
