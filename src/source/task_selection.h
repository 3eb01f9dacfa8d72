/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which tasks' accesses are wanted: --process and --thread. */
#ifndef MEMORY_TRACER_SOURCE_TASK_SELECTION_H
#define MEMORY_TRACER_SOURCE_TASK_SELECTION_H

#include <glib.h>
#include <stdbool.h>

#include "../../include/memory_tracer/trace.h"
#include "../context/task_table.h"

typedef struct TaskSelection TaskSelection;

/*
 * `process` and `thread` (NULL: any) are numbers, as getpid(2) and gettid(2) return them, or patterns with the
 * wildcards
 * * and ?. A process's pattern is compared with the name of its first thread and with its program's file, a thread's
 * with the thread's name. NULL with an error if the trace has no tasks, or none of these.
 */
TaskSelection *task_selection_new(mt_trace *trace, const char *process, const char *thread, GError **error);
void task_selection_free(TaskSelection *selection);

/* The same for a table of tasks as it is now: whether accesses behind an event of this number are wanted. */
bool task_selection_means(const TaskTable *table, uint32_t event, const char *process, const char *thread);

/* Whether accesses behind a task's event of this number are wanted. Accesses in interrupts belong to no task. */
bool task_selection_wants(const TaskSelection *selection, uint32_t event);

#endif
