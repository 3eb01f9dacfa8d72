/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What became of the guest's tasks and their memory, in a trace file: see doc/trace_format.md, "changes". */
#ifndef MEMORY_TRACER_TRACE_CHANGES_H
#define MEMORY_TRACER_TRACE_CHANGES_H

#include <glib.h>
#include <stdbool.h>

#include "../record/change.h"

/* A change as a file has it. */
typedef struct TraceChange {
    uint64_t index; /* so many records of the trace come before it */
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
/* Copies one. */
void trace_changes_add(TraceChanges *changes, const TraceChange *change);

/* The highest numbers of tasks and of memories that there are. */
void trace_changes_find_last(const TraceChanges *changes, uint64_t *task, uint64_t *memory);
/* Whether a change is of what one kernel uses its memory for: in a trace of several kernels, that of CHANGE_INPUT. */
bool trace_change_is_of_one_kernel(const TraceChange *change);
/* Whether a change is of user memory or of a task's name, after which the kernel's memory is what it was. */
bool trace_change_is_of_user(const TraceChange *change);
/* Moves the numbers in a change, so that those of several traces differ. */
void trace_change_renumber(TraceChange *change, uint64_t tasks, uint64_t memories);

/* Appends one to a chunk's contents. `last_index`: the one of the change before, 0 if there is none; is updated. */
void trace_change_write(GByteArray *contents, uint64_t *last_index, const TraceChange *change);
/* Adds those of a chunk's contents. Returns NULL, or what is wrong. */
const char *trace_changes_read(TraceChanges *changes, const uint8_t *contents, size_t bytes);

#endif
