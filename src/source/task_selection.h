/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which tasks' accesses are wanted: --process and --thread. */
#ifndef MEMORY_TRACER_SOURCE_TASK_SELECTION_H
#define MEMORY_TRACER_SOURCE_TASK_SELECTION_H

#include <glib.h>
#include <stdbool.h>

#include "../../include/memory_tracer/trace.h"

typedef struct TaskSelection TaskSelection;

/*
 * `process` and `thread` (NULL: any) are numbers, as getpid(2) and gettid(2) give them, or names with the wildcards *
 * and ?: a process's by its first thread or its program's file, a thread's own. NULL with an error if the trace doesn't
 * tell tasks, or has none of these.
 */
TaskSelection *task_selection_new(mt_trace *trace, const char *process, const char *thread, GError **error);
void task_selection_free(TaskSelection *selection);

/* Whether accesses behind a task's event of this number are wanted. What interrupts do is nobody's. */
bool task_selection_wants(const TaskSelection *selection, uint32_t event);

#endif
