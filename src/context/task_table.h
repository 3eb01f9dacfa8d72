/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's tasks and what they did, as a trace's changes tell (record/change.h). */
#ifndef MEMORY_TRACER_CONTEXT_TASK_TABLE_H
#define MEMORY_TRACER_CONTEXT_TASK_TABLE_H

#include <glib.h>
#include <stdbool.h>

#include "../trace/changes.h"

/* A thread of a process, or of the kernel. Strings belong to the table. */
typedef struct Task {
    uint32_t number; /* in the trace; 0: it isn't known */
    uint32_t pid;    /* the thread's own */
    uint32_t tgid;   /* its process's, which is what getpid() says */
    uint32_t parent; /* number, or 0 */
    uint32_t memory; /* number of its address space; 0: a kernel thread, which has none */
    uint32_t input;  /* in a merged trace: the input that it comes from */
    uint64_t start_ns, process_start_ns;
    const char *name;    /* its last one */
    const char *program; /* the file that it has executed last, or "" */
    const char *cgroup;  /* or "" */
    uint64_t exit_code;
    bool has_exited;
    uint32_t process; /* number of its process, from 1 on */
} Task;

/* The threads that share a pid (as getpid() says), from the process's beginning to its end. */
typedef struct Process {
    uint32_t tgid;
    uint64_t start_ns;
    uint32_t leader; /* number of its first thread; of another of its threads if the first isn't known */
} Process;

typedef struct TaskTable TaskTable;

TaskTable *task_table_new(void);
/* The tasks that a trace's changes tell. `changes` may be NULL: there are no tasks then. */
TaskTable *task_table_new_of(const TraceChanges *changes);
void task_table_free(TaskTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TaskTable, task_table_free)

/* Takes note of a change, in the order of the trace. Changes that are not about tasks are ignored. */
void task_table_add(TaskTable *table, const TraceChange *change);

/* A task by its number; NULL if it isn't known. Valid until the next change is added. */
const Task *task_table_task(const TaskTable *table, uint32_t number);
/* The highest number of a task, and of a process. */
uint32_t task_table_tasks(const TaskTable *table);
uint32_t task_table_processes(const TaskTable *table);
/* A process by its number, from 1 on. Valid until the next change is added. */
const Process *task_table_process(const TaskTable *table, uint32_t number);
/* A process's name, which is its first thread's; "" if it isn't known. It belongs to the table. */
const char *task_table_process_name(const TaskTable *table, uint32_t number);

#endif
