/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which tasks are wanted: see task_selection.h. */
#include "task_selection.h"

#include "../base/error.h"
#include "../record/change.h"
#include "../trace/file.h"

struct TaskSelection {
    GByteArray *wanted; /* by task number */
};

/* Whether `word` is this number, or matches the name or the program's file. */
static bool is_meant(const char *word, uint32_t number, const char *name, const char *program)
{
    g_autofree char *file = g_path_get_basename(program);
    guint64 asked;

    if (g_ascii_string_to_unsigned(word, 10, 0, UINT32_MAX, &asked, NULL))
        return asked == number;
    return g_pattern_match_simple(word, name) || (*program && g_pattern_match_simple(word, file));
}

static bool is_wanted(const TaskTable *table, const Task *task, const char *process, const char *thread)
{
    const Process *whole = task_table_process(table, task->process);
    const Task *leader = task_table_task(table, whole->leader);

    return (!process || is_meant(process, task->tgid, leader->name, leader->program)) &&
           (!thread || is_meant(thread, task->pid, task->name, ""));
}

TaskSelection *task_selection_new(mt_trace *trace, const char *process, const char *thread, GError **error)
{
    const TraceFile *file = trace_file_of(trace);
    g_autoptr(TaskTable) table = NULL;
    TaskSelection *selection;
    bool any = false;

    if (!file || !(mt_trace_fields(trace) & MT_FIELD_TASK)) {
        mt_fail(error, "the trace doesn't tell which task made an access: --process and --thread can't be used");
        return NULL;
    }
    table = task_table_new_of(file->changes);
    selection = g_new0(TaskSelection, 1);
    selection->wanted = g_byte_array_new();
    g_byte_array_set_size(selection->wanted, task_table_tasks(table) + 1);
    for (guint i = 0; i < selection->wanted->len; i++) {
        const Task *task = task_table_task(table, i);

        selection->wanted->data[i] = task && is_wanted(table, task, process, thread);
        any |= selection->wanted->data[i];
    }
    if (any)
        return selection;
    task_selection_free(selection);
    mt_fail(error, "the trace has no such task: %s (memory_tracer tasks lists them)", thread ? thread : process);
    return NULL;
}

void task_selection_free(TaskSelection *selection)
{
    if (!selection)
        return;
    g_byte_array_unref(selection->wanted);
    g_free(selection);
}

static bool is_the_tasks_own(uint32_t event)
{
    return (event & ((1u << TASK_CONTEXT_BITS) - 1)) == MT_TASK_RUNS;
}

bool task_selection_means(const TaskTable *table, uint32_t event, const char *process, const char *thread)
{
    const Task *task = is_the_tasks_own(event) ? task_table_task(table, event >> TASK_CONTEXT_BITS) : NULL;

    return task && is_wanted(table, task, process, thread);
}

bool task_selection_wants(const TaskSelection *selection, uint32_t event)
{
    uint32_t task = event >> TASK_CONTEXT_BITS;

    return is_the_tasks_own(event) && task < selection->wanted->len && selection->wanted->data[task];
}
