/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's tasks: see task_table.h. */
#include "task_table.h"

/* Numbers follow each other, except where a part of a file is damaged. A larger gap is an error, so that a bad file
 * can't make us take much memory for few tasks. */
#define GAP_MAX 65536

typedef struct {
    uint32_t tgid, input;
    uint64_t start_ns;
} ProcessKey;

struct TaskTable {
    GArray *tasks;                /* Task, by number */
    GArray *processes;            /* Process, by number */
    GHashTable *processes_by_key; /* processes' numbers by ProcessKey */
    GStringChunk *texts;
};

static guint hash_key(gconstpointer data)
{
    const ProcessKey *key = data;

    return (guint)(((key->start_ns + key->tgid + key->input) * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

static gboolean same_key(gconstpointer a, gconstpointer b)
{
    const ProcessKey *x = a, *y = b;

    return x->tgid == y->tgid && x->start_ns == y->start_ns && x->input == y->input;
}

TaskTable *task_table_new(void)
{
    TaskTable *table = g_new0(TaskTable, 1);

    table->tasks = g_array_new(FALSE, TRUE, sizeof(Task));
    table->processes = g_array_new(FALSE, TRUE, sizeof(Process));
    table->processes_by_key = g_hash_table_new_full(hash_key, same_key, g_free, NULL);
    table->texts = g_string_chunk_new(4096);
    g_array_set_size(table->tasks, 1);
    g_array_set_size(table->processes, 1);
    return table;
}

void task_table_free(TaskTable *table)
{
    if (!table)
        return;
    g_array_unref(table->tasks);
    g_array_unref(table->processes);
    g_hash_table_unref(table->processes_by_key);
    g_string_chunk_free(table->texts);
    g_free(table);
}

static Task *get(const TaskTable *table, uint64_t number)
{
    Task *task = number && number < table->tasks->len ? &g_array_index(table->tasks, Task, number) : NULL;

    return task && task->number ? task : NULL;
}

static uint32_t find_process(TaskTable *table, const Task *task)
{
    const ProcessKey key = { task->tgid, task->input, task->process_start_ns };
    uint32_t number = GPOINTER_TO_UINT(g_hash_table_lookup(table->processes_by_key, &key));
    const Process process = { .tgid = key.tgid, .start_ns = key.start_ns, .leader = task->number };

    /* The kernel's idle tasks all have pid 0, but each is a process of its own. */
    if (!number || !key.tgid) {
        g_array_append_val(table->processes, process);
        number = table->processes->len - 1;
        g_hash_table_insert(table->processes_by_key, g_memdup2(&key, sizeof key), GUINT_TO_POINTER(number));
    } else if (task->pid == task->tgid) {
        g_array_index(table->processes, Process, number).leader = task->number;
    }
    return number;
}

static void add_task(TaskTable *table, const TraceChange *change)
{
    uint64_t number = change->value[0];
    Task task = { .number = (uint32_t)number,
                  .pid = (uint32_t)change->value[1],
                  .tgid = (uint32_t)change->value[2],
                  .start_ns = change->value[3],
                  .process_start_ns = change->value[4],
                  .parent = (uint32_t)change->value[5],
                  .memory = (uint32_t)change->value[6],
                  .input = (uint32_t)change->value[CHANGE_INPUT],
                  .program = "",
                  .cgroup = "" };

    if (!number || number >= (uint64_t)table->tasks->len + GAP_MAX || number > UINT32_MAX >> TASK_CONTEXT_BITS ||
        get(table, number))
        return;
    task.name = g_string_chunk_insert_const(table->texts, change->text);
    task.process = find_process(table, &task);
    if (number >= table->tasks->len)
        g_array_set_size(table->tasks, (guint)number + 1);
    g_array_index(table->tasks, Task, number) = task;
}

void task_table_add(TaskTable *table, const TraceChange *change)
{
    Task *task = change->kind == CHANGE_TASK ? NULL : get(table, change->value[0]);

    if (change->kind == CHANGE_TASK)
        add_task(table, change);
    if (!task)
        return;
    switch (change->kind) {
    case CHANGE_NAME:
        task->name = g_string_chunk_insert_const(table->texts, change->text);
        break;
    case CHANGE_EXEC:
        task->program = g_string_chunk_insert_const(table->texts, change->text);
        task->memory = (uint32_t)change->value[1];
        break;
    case CHANGE_CGROUP:
        task->cgroup = g_string_chunk_insert_const(table->texts, change->text);
        break;
    case CHANGE_EXIT:
        task->has_exited = true;
        task->exit_code = change->value[1];
        break;
    default:
        break;
    }
}

TaskTable *task_table_new_of(const TraceChanges *changes)
{
    TaskTable *table = task_table_new();

    for (guint i = 0; changes && i < changes->list->len; i++)
        task_table_add(table, &g_array_index(changes->list, TraceChange, i));
    return table;
}

const Task *task_table_task(const TaskTable *table, uint32_t number)
{
    return get(table, number);
}

uint32_t task_table_tasks(const TaskTable *table)
{
    return table->tasks->len - 1;
}

uint32_t task_table_processes(const TaskTable *table)
{
    return table->processes->len - 1;
}

const Process *task_table_process(const TaskTable *table, uint32_t number)
{
    return &g_array_index(table->processes, Process, number);
}

const char *task_table_process_name(const TaskTable *table, uint32_t number)
{
    const Task *leader = get(table, task_table_process(table, number)->leader);

    return leader ? leader->name : "";
}
