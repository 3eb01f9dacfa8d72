/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes of the guest's tasks and memory, in a trace file: see doc/trace_format.md, "changes". */
#ifndef MEMORY_TRACER_TRACE_CHANGES_H
#define MEMORY_TRACER_TRACE_CHANGES_H

#include <glib.h>
#include <stdbool.h>

#include "../record/change.h"

/* A change as a file has it. */
typedef struct TraceChange {
    uint64_t index; /* how many records of the trace come before it */
    uint32_t vcpu;  /* on which it took place */
    uint32_t kind;  /* of enum change_kind, or one that later versions have */
    uint64_t value[CHANGE_VALUES];
    const char *text;
} TraceChange;

/* Changes that were read, in the order of the trace, and their texts. */
typedef struct TraceChanges {
    GArray *list; /* TraceChange */
    GStringChunk *texts;
} TraceChanges;

TraceChanges *trace_changes_new(void);
void trace_changes_free(TraceChanges *changes);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TraceChanges, trace_changes_free)
/* Appends a copy of a change. */
void trace_changes_add(TraceChanges *changes, const TraceChange *change);

/* The highest numbers of tasks and of memories in the changes; 0: there is none. */
void trace_changes_find_last(const TraceChanges *changes, uint64_t *task, uint64_t *memory);
/* Whether a change tells what a kernel uses its memory for. In a trace of several kernels, value CHANGE_INPUT says
 * which kernel that is. */
bool trace_change_is_of_one_kernel(const TraceChange *change);
/* Whether a change is one of user memory, or of a task's name or cgroup: it leaves the kernel's memory as it was. */
bool trace_change_is_of_user(const TraceChange *change);
/* Adds `tasks` and `memories` to the numbers of tasks and memories in a change, so that several traces don't share any.
 */
void trace_change_renumber(TraceChange *change, uint64_t tasks, uint64_t memories);

/* Appends a change to a chunk's contents. *last_index is the index of the change before, or 0, and is updated. */
void trace_change_write(GByteArray *contents, uint64_t *last_index, const TraceChange *change);
/* Adds the changes in a chunk's contents, which are not trusted. Returns NULL, or what is wrong with them. */
const char *trace_changes_read(TraceChanges *changes, const uint8_t *contents, size_t bytes);

#endif
