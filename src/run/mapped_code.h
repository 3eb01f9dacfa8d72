/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the guest's kernel has told of the files that processes executed code of. */
#ifndef MEMORY_TRACER_RUN_MAPPED_CODE_H
#define MEMORY_TRACER_RUN_MAPPED_CODE_H

#include <glib.h>

#include "../ring/ring.h"

/* The program that starts the workload in the guest: what it is called here. */
#define MAPPED_CODE_AGENT "memory_tracer_agent"

/* A part of a file that was mapped as code. */
typedef struct MappedCode {
    char *path; /* as the workload saw it */
    uint64_t address, end, offset, device, inode;
} MappedCode;

/* Each path, address, offset and inode once, in the order in which they were mapped; to be unreferenced. Empty if the
 * ring doesn't tell tasks. */
GPtrArray *mapped_code_list(const Ring *ring);

/* Whether that is a path by which the guest has mapped the agent. */
bool mapped_code_is_agent(const char *path);

/* Whether the file is on the guest's own disk: a disk has a major device number, 9p has none. Then the guest itself has
 * written it, and this machine may have another file at the same path. */
bool mapped_code_is_on_disk(const MappedCode *code);

/* The pids (uint32_t) of processes that have mapped memory without a file to execute it, each once, at most `most`; to
 * be unreferenced. */
GArray *mapped_code_list_generators(const Ring *ring, guint most);

#endif
