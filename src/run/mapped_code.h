/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the guest's kernel has told of the files that processes executed code of. */
#ifndef MEMORY_TRACER_RUN_MAPPED_CODE_H
#define MEMORY_TRACER_RUN_MAPPED_CODE_H

#include <glib.h>

#include "../ring/ring.h"

/* A part of a file that was mapped as code. */
typedef struct MappedCode {
    char *path; /* as the workload saw it */
    uint64_t address, offset, device, inode;
} MappedCode;

/* Each path, address, offset and inode once, in the order in which they were mapped; to be unreferenced. Empty if the
 * ring doesn't tell tasks. */
GPtrArray *mapped_code_list(const Ring *ring);

#endif
