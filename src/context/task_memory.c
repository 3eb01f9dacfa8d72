/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tasks' address spaces: see task_memory.h. */
#include "task_memory.h"

typedef struct {
    uint64_t index; /* the first record for which it counts */
    uint32_t memory;
} Since;

struct TaskMemory {
    GHashTable *tasks; /* GArray of Since, by task number */
};

/* The index of the change's value that is the task's new memory; 0: it has none. */
static unsigned memory_value(const TraceChange *change)
{
    switch (change->kind) {
    case CHANGE_TASK:
        return 6;
    case CHANGE_EXEC:
    case CHANGE_MEMORY:
        return 1;
    default:
        return 0;
    }
}

TaskMemory *task_memory_new(const TraceChanges *changes)
{
    TaskMemory *tasks = g_new0(TaskMemory, 1);

    tasks->tasks = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)g_array_unref);
    for (guint i = 0; changes && i < changes->list->len; i++) {
        const TraceChange *change = &g_array_index(changes->list, TraceChange, i);
        unsigned value = memory_value(change);
        gpointer key = GUINT_TO_POINTER((guint)change->value[0]);
        GArray *list = value ? g_hash_table_lookup(tasks->tasks, key) : NULL;
        Since since = { change->index, (uint32_t)change->value[value] };

        if (!value || (list && change->kind == CHANGE_TASK))
            continue;
        if (!list) { /* what is told first has been so since the beginning */
            since.index = 0;
            list = g_array_new(FALSE, FALSE, sizeof(Since));
            g_hash_table_insert(tasks->tasks, key, list);
        }
        g_array_append_val(list, since);
    }
    return tasks;
}

void task_memory_free(TaskMemory *tasks)
{
    if (!tasks)
        return;
    g_hash_table_unref(tasks->tasks);
    g_free(tasks);
}

uint32_t task_memory_at(const TaskMemory *tasks, uint32_t task, uint64_t index, uint64_t *from, uint64_t *until)
{
    const GArray *list = g_hash_table_lookup(tasks->tasks, GUINT_TO_POINTER(task));
    guint first = 0, end = list ? list->len : 0;

    *from = 0;
    *until = UINT64_MAX;
    if (!end)
        return 0;
    while (first < end) { /* counts the memories that it has had, up to the index */
        guint middle = first + (end - first) / 2;

        if (g_array_index(list, Since, middle).index <= index)
            first = middle + 1;
        else
            end = middle;
    }
    if (first < list->len)
        *until = g_array_index(list, Since, first).index;
    *from = g_array_index(list, Since, first - 1).index;
    return g_array_index(list, Since, first - 1).memory;
}

bool task_memory_next_run(const TaskMemory *tasks, const struct mt_batch *batch, MemoryRun *run)
{
    uint64_t from, until;
    size_t stop;

    if (run->end == run->events.end && !events_next_run(&batch->task, batch->count, &run->events))
        return false;
    run->begin = run->end;
    stop = run->events.end;
    run->memory =
        task_memory_at(tasks, run->events.number >> TASK_CONTEXT_BITS, events_index(batch, run->begin), &from, &until);
    run->end = run->begin + 1;
    if (until == UINT64_MAX || events_index(batch, stop - 1) < until)
        run->end = stop;
    while (run->end < stop && events_index(batch, run->end) < until)
        run->end++;
    return true;
}
