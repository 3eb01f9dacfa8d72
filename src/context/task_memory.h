/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which address space (memory) each task has at which record, as a trace's changes tell. A task gets another one when
 * it executes a program; it may also have another one after a time in which nothing was recorded. */
#ifndef MEMORY_TRACER_CONTEXT_TASK_MEMORY_H
#define MEMORY_TRACER_CONTEXT_TASK_MEMORY_H

#include <glib.h>
#include <stdbool.h>

#include "../../include/memory_tracer/trace.h"
#include "../trace/changes.h"
#include "../trace/events.h"

typedef struct TaskMemory TaskMemory;

/* NULL is a trace that tells nothing. */
TaskMemory *task_memory_new(const TraceChanges *changes);
void task_memory_free(TaskMemory *tasks);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TaskMemory, task_memory_free)

/* The number of the memory that a task has at the record of this index; 0: unknown, or none. The answer holds from
 * *from to *until - 1 (UINT64_MAX: to the end). */
uint32_t task_memory_at(const TaskMemory *tasks, uint32_t task, uint64_t index, uint64_t *from, uint64_t *until);

/* Records of a batch that have the same memory: `begin` to `end` - 1. */
typedef struct MemoryRun {
    size_t begin, end;
    uint32_t memory;
    EventRun events; /* the records between two events that these are among */
} MemoryRun;

/* Goes on to the next run of a batch that was read with MT_COLUMN_TASK. The caller sets *run to all zeros first. False
 * at the batch's end. */
bool task_memory_next_run(const TaskMemory *tasks, const struct mt_batch *batch, MemoryRun *run);

#endif
