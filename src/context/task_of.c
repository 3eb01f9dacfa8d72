/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The library's tasks: mt_trace_task() and mt_task_at(). */
#include "../record/change.h"
#include "../trace/events.h"
#include "../trace/trace_private.h"
#include "task_table.h"

typedef struct {
    TaskTable *table;      /* owns the texts of `tasks` */
    struct mt_task *tasks; /* by number */
} Tasks;

static void free_tasks(void *data)
{
    Tasks *tasks = data;

    task_table_free(tasks->table);
    g_free(tasks->tasks);
    g_free(tasks);
}

static Tasks *make_tasks(const TraceFile *file)
{
    Tasks *tasks = g_new0(Tasks, 1);

    tasks->table = task_table_new_of(file ? file->changes : NULL);
    tasks->tasks = g_new0(struct mt_task, task_table_tasks(tasks->table) + 1);
    for (uint32_t i = 1; i <= task_table_tasks(tasks->table); i++) {
        const Task *task = task_table_task(tasks->table, i);

        if (task)
            tasks->tasks[i] = (struct mt_task){ .number = i,
                                                .pid = task->tgid,
                                                .tid = task->pid,
                                                .parent = task->parent,
                                                .input = task->input,
                                                .start_ns = task->start_ns,
                                                .name = task->name,
                                                .program = task->program,
                                                .cgroup = task->cgroup,
                                                .has_exited = task->has_exited,
                                                .exit_status = (uint32_t)task->exit_code };
    }
    return tasks;
}

static const Tasks *tasks_of(mt_trace *trace)
{
    g_mutex_lock(&trace->names_lock);
    if (!trace->tasks) {
        trace->tasks = make_tasks(trace->file);
        trace->free_tasks = free_tasks;
    }
    g_mutex_unlock(&trace->names_lock);
    return trace->tasks;
}

uint32_t mt_trace_tasks(mt_trace *trace)
{
    return task_table_tasks(tasks_of(trace)->table);
}

const struct mt_task *mt_trace_task(mt_trace *trace, uint32_t number)
{
    const Tasks *tasks = tasks_of(trace);

    return number <= task_table_tasks(tasks->table) && tasks->tasks[number].number ? &tasks->tasks[number] : NULL;
}

const struct mt_task *mt_task_at(mt_trace *trace, const struct mt_batch *batch, size_t i, enum mt_task_context *context)
{
    uint32_t event = events_before(&batch->task, i);

    if (context)
        *context = event & ((1u << TASK_CONTEXT_BITS) - 1);
    return mt_trace_task(trace, event >> TASK_CONTEXT_BITS);
}
