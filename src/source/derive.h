/* SPDX-License-Identifier: GPL-2.0-or-later */
/* New trace files that are made from others. They keep fields, instructions and attachments; their metadata say how
 * they were made. */
#ifndef MEMORY_TRACER_SOURCE_DERIVE_H
#define MEMORY_TRACER_SOURCE_DERIVE_H

#include "input.h"

/* What becomes of the inputs' vCPUs: they keep their numbers, each input gets numbers of its own, or all become vCPU 0.
 */
typedef enum { VCPUS_KEEP, VCPUS_RENUMBER, VCPUS_ONE } VcpuPolicy;

/* Writes the selected records of the inputs (Input, each opened with MT_COLUMN_ALL and MT_COLUMN_TASK) into the trace
 * file `path`: in the order of their times if all inputs have times, else one input after the other. `words` is the
 * whole command, for the metadata. Prints on stderr how many records and bytes were written. False with an error if a
 * trace can't be read or written, or if their guests' architectures differ; then `path` is as it was. */
bool derive_file(GPtrArray *inputs, VcpuPolicy policy, char **words, const char *path, GError **error);
/* The same for one input, and for callers that care for the file's name themselves (base/part_file.h): after an error
 * `path` has an incomplete file. */
bool derive_part(Input *input, char **words, const char *path, GError **error);

#endif
