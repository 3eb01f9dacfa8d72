/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Analyses of groups: see groups.h. */
#include "groups.h"

#include <string.h>

#include "../base/error.h"
#include "../record/change.h"

#define MAX_FIGURES 8
#define CONTEXT_MASK ((1u << TASK_CONTEXT_BITS) - 1)
#define GROUP_VARIES UINT32_MAX
#define CODE_COLUMNS (MT_COLUMN_INSTRUCTION | MT_COLUMN_TASK)

typedef struct {
    uint64_t key; /* a process's or task's number (key_of_task()), the address of a name (name_of_instruction()), or an
                     object's or region's number */
    void *state;
    uint64_t records;
    uint32_t rows; /* in the current batch */
    uint32_t begin;
} Group;

/* A kind of groups. */
typedef struct {
    const char *name, *list, *label; /* --by NAME; the list in the results */
    unsigned columns;
    enum { BY_TASK, BY_INSTRUCTION, BY_OBJECT } way;
} Kind;

static const Kind kinds[] = {
    [GROUP_BY_NOTHING] = { NULL, NULL, NULL, 0, BY_TASK },
    [GROUP_BY_PROCESS] = { "process", "processes", "by process", MT_COLUMN_TASK, BY_TASK },
    [GROUP_BY_THREAD] = { "thread", "threads", "by thread", MT_COLUMN_TASK, BY_TASK },
    [GROUP_BY_FUNCTION] = { "function", "functions", "by function", CODE_COLUMNS, BY_INSTRUCTION },
    [GROUP_BY_LINE] = { "line", "lines_of_source", "by source line", CODE_COLUMNS, BY_INSTRUCTION },
    [GROUP_BY_FILE] = { "file", "files", "by file of code", CODE_COLUMNS, BY_INSTRUCTION },
    [GROUP_BY_OBJECT] = { "object", "objects", "by object", ADDRESS_OBJECTS_COLUMNS, BY_OBJECT },
    [GROUP_BY_REGION] = { "region", "regions", "by kind of memory", ADDRESS_OBJECTS_COLUMNS, BY_OBJECT },
};

struct Groups {
    GroupBy by;
    const AnalysisType *type;
    const void *options;
    const Context *context;
    GArray *groups;          /* Group */
    GHashTable *numbers;     /* their numbers, plus 1, by key */
    AddressObjects *objects; /* if it is by them; or NULL */
    uint32_t *of_number;     /* the group of an instruction or object, plus 1; 0: not asked for yet; or GROUP_VARIES */
    uint32_t room;           /* for how many there is room */
    GHashTable *of_executed; /* of an instruction that is another one in each memory: by `memory << 32 | number` */
    GArray *group_of_row;    /* uint32_t, for the current batch */
    GStringChunk *names;     /* those that we have made */
    GArray *present;         /* uint32_t: groups that it has */
    GByteArray *sorted[8];   /* its columns, group by group */
    bool reads_tasks;        /* the analysis does */
    GArray *task_of_row;     /* uint32_t: numbers of events, likewise */
    GArray *events;          /* struct mt_event: of one group's records */
};

bool groups_parse(const char *name, GroupBy *by, GError **error)
{
    *by = GROUP_BY_NOTHING;
    if (!name)
        return true;
    for (guint i = 1; i < G_N_ELEMENTS(kinds); i++)
        if (!strcmp(name, kinds[i].name)) {
            *by = (GroupBy)i;
            return true;
        }
    return mt_fail_usage(error, "--by must be process, thread, function, line, file, object or region, but %s isn't.",
                         name);
}

unsigned groups_columns(GroupBy by)
{
    return kinds[by].columns;
}

Groups *groups_new(GroupBy by, const AnalysisType *type, const void *options, const Context *context, GError **error)
{
    Groups *groups;

    AddressObjects *objects = kinds[by].way == BY_OBJECT ? context_new_objects(context) : NULL;

    if (kinds[by].way == BY_OBJECT && !objects) {
        mt_fail(error, "--by %s: only a trace file tells what an access goes to, or a run whose guest tells its tasks",
                kinds[by].name);
        return NULL;
    }
    if ((kinds[by].way == BY_TASK && !context_has_tasks(context)) ||
        (kinds[by].way == BY_INSTRUCTION && !context_has_instructions(context))) {
        mt_fail(error, "--by %s: the trace doesn't tell which %s made an access", kinds[by].name,
                kinds[by].way == BY_TASK ? "task" : "instruction");
        return NULL;
    }
    groups = g_new0(Groups, 1);
    groups->objects = objects;
    groups->by = by;
    groups->type = type;
    groups->options = type->figures ? type->figure_options : options;
    groups->context = context;
    groups->groups = g_array_new(FALSE, TRUE, sizeof(Group));
    groups->numbers = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    groups->of_executed = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    groups->group_of_row = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    groups->names = g_string_chunk_new(4096);
    groups->present = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    groups->reads_tasks = (type->columns_for ? type->columns_for(groups->options) : type->columns) & MT_COLUMN_TASK;
    groups->task_of_row = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    groups->events = g_array_new(FALSE, FALSE, sizeof(struct mt_event));
    for (guint i = 0; i < G_N_ELEMENTS(groups->sorted); i++)
        groups->sorted[i] = g_byte_array_new();
    return groups;
}

void groups_free(Groups *groups)
{
    if (!groups)
        return;
    for (guint i = 0; i < groups->groups->len; i++)
        groups->type->end(g_array_index(groups->groups, Group, i).state);
    g_array_unref(groups->groups);
    g_hash_table_unref(groups->numbers);
    address_objects_free(groups->objects);
    g_free(groups->of_number);
    g_hash_table_unref(groups->of_executed);
    g_array_unref(groups->group_of_row);
    g_array_unref(groups->present);
    g_array_unref(groups->task_of_row);
    g_array_unref(groups->events);
    g_string_chunk_free(groups->names);
    for (guint i = 0; i < G_N_ELEMENTS(groups->sorted); i++)
        g_byte_array_unref(groups->sorted[i]);
    g_free(groups);
}

/* The number of the group with this key, which is made if there is none. -1 on failure. */
static int64_t find_group(Groups *groups, uint64_t key, GError **error)
{
    guint number = GPOINTER_TO_UINT(g_hash_table_lookup(groups->numbers, &key));
    Group group = { .key = key };

    if (number)
        return number - 1;
    group.state = groups->type->begin(groups->type, groups->options, groups->context, error);
    if (!group.state)
        return -1;
    g_array_append_val(groups->groups, group);
    g_hash_table_insert(groups->numbers, g_memdup2(&key, sizeof key), GUINT_TO_POINTER(groups->groups->len));
    return groups->groups->len - 1;
}

/* A process or thread is the number of its task, or of what a vCPU did meanwhile (enum mt_task_context), which is
 * nobody's work. */
static uint64_t key_of_task(const Groups *groups, uint32_t event)
{
    uint64_t context = event & CONTEXT_MASK;
    const Task *task = task_table_task(context_tasks(groups->context), event >> TASK_CONTEXT_BITS);

    if (context || !task)
        return context;
    return (uint64_t)(groups->by == GROUP_BY_PROCESS ? task->process : task->number) << TASK_CONTEXT_BITS;
}

/* Finds the group of each record in the batch. */

static bool find_by_task(Groups *groups, const struct mt_batch *batch, GError **error)
{
    uint32_t *rows = (uint32_t *)groups->group_of_row->data, event = batch->task.state;
    size_t done = 0;

    for (size_t i = 0; i <= batch->task.count; i++) {
        size_t end = i < batch->task.count ? batch->task.event[i].before : batch->count;
        int64_t group = end > done ? find_group(groups, key_of_task(groups, event), error) : 0;

        if (group < 0)
            return false;
        for (; done < end; done++)
            rows[done] = (uint32_t)group;
        event = i < batch->task.count ? batch->task.event[i].number : 0;
    }
    return true;
}

/* What an instruction is grouped by: a text that is at the same place whenever it is the same one; NULL: unknown. */
static const char *name_of_instruction(Groups *groups, uint32_t memory, uint32_t number)
{
    const struct mt_symbol *symbol = context_symbol_in(groups->context, memory, number);
    g_autofree char *line = NULL;
    uint64_t offset;

    switch (groups->by) {
    case GROUP_BY_FUNCTION: /* the context has each once */
        return context_function_in(groups->context, memory, number, &offset);
    case GROUP_BY_LINE:
        line = symbol && symbol->line ? g_strdup_printf("%s:%u", symbol->file, symbol->line) : NULL;
        return line ? g_string_chunk_insert_const(groups->names, line) : NULL;
    default:
        return symbol && symbol->object ? g_string_chunk_insert_const(groups->names, symbol->object) : NULL;
    }
}

static uint64_t key_of_number(Groups *groups, uint32_t number)
{
    if (groups->by == GROUP_BY_REGION)
        return address_objects_region(groups->objects, number);
    return groups->objects ? number : (uintptr_t)name_of_instruction(groups, 0, number);
}

static bool find_of_number(Groups *groups, uint32_t number, GError **error)
{
    int64_t group;

    if (!groups->objects && context_names_vary(groups->context, number)) {
        groups->of_number[number] = GROUP_VARIES;
        return true;
    }
    group = find_group(groups, key_of_number(groups, number), error);
    groups->of_number[number] = (uint32_t)(group + 1);
    return group >= 0;
}

/* The group, plus 1, of an instruction that is another one in each memory. 0 on failure. */
static uint32_t find_executed(Groups *groups, uint32_t memory, uint32_t number, GError **error)
{
    uint64_t key = (uint64_t)memory << 32 | number;
    uint32_t group = GPOINTER_TO_UINT(g_hash_table_lookup(groups->of_executed, &key));

    if (!group) {
        group = (uint32_t)(find_group(groups, (uintptr_t)name_of_instruction(groups, memory, number), error) + 1);
        if (group)
            g_hash_table_insert(groups->of_executed, g_memdup2(&key, sizeof key), GUINT_TO_POINTER(group));
    }
    return group;
}

static void make_room(Groups *groups, uint32_t number)
{
    uint32_t room = MAX(2 * groups->room, number + 1024);

    groups->of_number = g_renew(uint32_t, groups->of_number, room);
    memset(groups->of_number + groups->room, 0, (room - groups->room) * sizeof(uint32_t));
    groups->room = room;
}

/* `numbers` of instructions or of objects, for the records of a run; they may be at the place of the groups' numbers.
 */
static bool find_by_number(Groups *groups, const uint32_t *numbers, const MemoryRun *run, GError **error)
{
    uint32_t *rows = (uint32_t *)groups->group_of_row->data;

    for (size_t i = run->begin; i < run->end; i++) {
        uint32_t number = numbers[i], group;

        if (number >= groups->room)
            make_room(groups, number);
        if (!groups->of_number[number] && !find_of_number(groups, number, error))
            return false;
        group = groups->of_number[number];
        if (group == GROUP_VARIES && !(group = find_executed(groups, run->memory, number, error)))
            return false;
        rows[i] = group - 1;
    }
    return true;
}

static bool find_by_instruction(Groups *groups, const struct mt_batch *batch, GError **error)
{
    const TaskMemory *tasks = context_task_memory(groups->context);
    MemoryRun run = { .end = tasks ? 0 : batch->count };

    if (!tasks)
        return find_by_number(groups, batch->instruction, &run, error);
    while (task_memory_next_run(tasks, batch, &run))
        if (!find_by_number(groups, batch->instruction, &run, error))
            return false;
    return true;
}

static bool find_groups(Groups *groups, const struct mt_batch *batch, GError **error)
{
    uint32_t *rows = (uint32_t *)groups->group_of_row->data;
    MemoryRun all = { .end = batch->count };

    switch (kinds[groups->by].way) {
    case BY_TASK:
        return find_by_task(groups, batch, error);
    case BY_INSTRUCTION:
        return find_by_instruction(groups, batch, error);
    default:
        address_objects_number(groups->objects, batch, rows);
        return find_by_number(groups, rows, &all, error);
    }
}

/* Sorts the batch's records by group (counting, so that those of one stay in order). */

static void find_present(Groups *groups, size_t count)
{
    const uint32_t *rows = (const uint32_t *)groups->group_of_row->data;
    uint32_t begin = 0;

    g_array_set_size(groups->present, 0);
    for (size_t i = 0; i < count; i++) {
        Group *group = &g_array_index(groups->groups, Group, rows[i]);

        if (!group->rows++)
            g_array_append_val(groups->present, rows[i]);
    }
    for (guint i = 0; i < groups->present->len; i++) {
        Group *group = &g_array_index(groups->groups, Group, g_array_index(groups->present, uint32_t, i));

        group->begin = begin;
        begin += group->rows;
        group->records += group->rows;
        group->rows = 0;
    }
}

/* One column of `size` bytes a record, in the order of the groups; or NULL if there is none. */
static void *sort_column(Groups *groups, unsigned number, const void *from, size_t size, const uint32_t *places,
                         size_t count)
{
    GByteArray *to = groups->sorted[number];

    if (!from)
        return NULL;
    g_byte_array_set_size(to, (guint)(count * size));
    for (size_t i = 0; i < count; i++)
        memcpy(to->data + places[i] * size, (const uint8_t *)from + i * size, size);
    return to->data;
}

/* The number of the tasks' event that each record comes behind. */
static const uint32_t *list_tasks(Groups *groups, const struct mt_batch *batch)
{
    uint32_t event = batch->task.state, *tasks;
    size_t done = 0;

    g_array_set_size(groups->task_of_row, (guint)batch->count);
    tasks = (uint32_t *)groups->task_of_row->data;
    for (size_t i = 0; i <= batch->task.count; i++) {
        size_t end = i < batch->task.count ? batch->task.event[i].before : batch->count;

        while (done < end)
            tasks[done++] = event;
        event = i < batch->task.count ? batch->task.event[i].number : 0;
    }
    return tasks;
}

/* And back again. Valid until the next call. */
static struct mt_events make_events(Groups *groups, const uint32_t *tasks, size_t count)
{
    g_array_set_size(groups->events, 0);
    for (size_t i = 1; i < count; i++) {
        struct mt_event event = { .before = (uint32_t)i, .number = tasks[i] };

        if (tasks[i] != tasks[i - 1])
            g_array_append_val(groups->events, event);
    }
    return (struct mt_events){ .state = tasks[0],
                               .count = groups->events->len,
                               .event = (const struct mt_event *)groups->events->data };
}

static bool add_sorted(Groups *groups, const struct mt_batch *batch, GError **error)
{
    uint32_t *rows = (uint32_t *)groups->group_of_row->data;
    struct mt_batch sorted = *batch;
    const uint32_t *tasks = groups->reads_tasks ? list_tasks(groups, batch) : NULL;

    for (size_t i = 0; i < batch->count; i++) { /* groups become places */
        Group *group = &g_array_index(groups->groups, Group, rows[i]);

        rows[i] = group->begin + group->rows++;
    }
    sorted.address = sort_column(groups, 0, batch->address, sizeof *batch->address, rows, batch->count);
    sorted.info = sort_column(groups, 1, batch->info, sizeof *batch->info, rows, batch->count);
    sorted.instruction = sort_column(groups, 2, batch->instruction, sizeof *batch->instruction, rows, batch->count);
    sorted.paddr = sort_column(groups, 3, batch->paddr, sizeof *batch->paddr, rows, batch->count);
    sorted.value = sort_column(groups, 4, batch->value, sizeof *batch->value, rows, batch->count);
    sorted.value_unknown =
        sort_column(groups, 5, batch->value_unknown, sizeof *batch->value_unknown, rows, batch->count);
    tasks = sort_column(groups, 6, tasks, sizeof *tasks, rows, batch->count);
    sorted.page_size = sort_column(groups, 7, batch->page_size, sizeof *batch->page_size, rows, batch->count);
    sorted.task = sorted.executed = (struct mt_events){ 0 };
    sorted.index = NULL;
    for (guint i = 0; i < groups->present->len; i++) {
        Group *group = &g_array_index(groups->groups, Group, g_array_index(groups->present, uint32_t, i));
        struct mt_batch part = sorted;

#define ADVANCE(column) part.column = sorted.column ? sorted.column + group->begin : NULL
        ADVANCE(address);
        ADVANCE(info);
        ADVANCE(instruction);
        ADVANCE(paddr);
        ADVANCE(value);
        ADVANCE(page_size);
        ADVANCE(value_unknown);
#undef ADVANCE
        part.count = group->rows;
        if (tasks)
            part.task = make_events(groups, tasks + group->begin, part.count);
        group->rows = 0;
        if (!groups->type->add(group->state, &part, error))
            return false;
    }
    return true;
}

bool groups_add(Groups *groups, const struct mt_batch *batch, GError **error)
{
    if (!batch->count)
        return true;
    g_array_set_size(groups->group_of_row, (guint)batch->count);
    if (!find_groups(groups, batch, error))
        return false;
    find_present(groups, batch->count);
    if (groups->present->len > 1)
        return add_sorted(groups, batch, error);
    return groups->type->add(g_array_index(groups->groups, Group, g_array_index(groups->present, uint32_t, 0)).state,
                             batch, error);
}

/* The result. */

static gint compare_groups(gconstpointer a, gconstpointer b)
{
    const Group *one = a, *other = b;

    if (one->records != other->records)
        return one->records < other->records ? 1 : -1;
    return one->key < other->key ? -1 : one->key > other->key;
}

static const char *context_name(uint64_t context)
{
    return context == MT_TASK_IN_INTERRUPT ? "(interrupts)"
           : context == MT_TASK_IN_SOFTIRQ ? "(softirqs)"
                                           : "(unknown)";
}

static bool is_by_task(const Groups *groups)
{
    return kinds[groups->by].way == BY_TASK;
}

static const char *region_of(const Groups *groups, const Group *group)
{
    return object_region_name(address_objects_region(groups->objects, (uint32_t)group->key));
}

/* What a group is called, and the pid and thread id that it has, or 0. */
static const char *name_group(const Groups *groups, const Group *group, uint64_t *pid, uint64_t *tid)
{
    const TaskTable *tasks = context_tasks(groups->context);
    uint32_t number = (uint32_t)(group->key >> TASK_CONTEXT_BITS);
    const Task *task;

    *pid = *tid = 0;
    if (groups->by == GROUP_BY_REGION)
        return object_region_name((ObjectRegion)group->key);
    if (groups->objects)
        return address_objects_name(groups->objects, (uint32_t)group->key);
    if (!is_by_task(groups))
        return group->key ? (const char *)(uintptr_t)group->key : "(unknown)";
    if (!number)
        return context_name(group->key);
    if (groups->by == GROUP_BY_PROCESS) {
        *pid = task_table_process(tasks, number)->tgid;
        return task_table_process_name(tasks, number);
    }
    task = task_table_task(tasks, number);
    *pid = task->tgid;
    *tid = task->pid;
    return task->name;
}

/* As a table, if the analysis has figures for that; else a list of its results. */
static void describe_group(const Groups *groups, const Group *group, ReportTable *table, Report *report)
{
    uint64_t pid, tid, figures[MAX_FIGURES] = { 0 };
    const char *name = name_group(groups, group, &pid, &tid);
    g_autofree char *title = NULL;
    Report *part;

    if (table) {
        groups->type->measure(group->state, figures);
        report_table_begin_row(table);
        for (guint i = 0; groups->type->figures[i].name; i++)
            report_table_add_count(table, figures[i]);
        if (is_by_task(groups))
            report_table_add_count(table, pid);
        if (groups->by == GROUP_BY_OBJECT)
            report_table_add_text(table, region_of(groups, group));
        if (groups->by == GROUP_BY_THREAD)
            report_table_add_count(table, tid);
        report_table_add_text(table, name);
        return;
    }
    title = groups->by == GROUP_BY_THREAD
                ? g_strdup_printf("%s, pid %" G_GUINT64_FORMAT ", thread %" G_GUINT64_FORMAT, name, pid, tid)
            : groups->by == GROUP_BY_PROCESS ? g_strdup_printf("%s, pid %" G_GUINT64_FORMAT, name, pid)
                                             : g_strdup(name);
    part = report_add_to_list(report, kinds[groups->by].list, title);
    if (is_by_task(groups))
        report_add_count(part, "pid", NULL, pid);
    if (groups->by == GROUP_BY_OBJECT)
        report_add_text(part, "region", NULL, region_of(groups, group));
    if (groups->by == GROUP_BY_THREAD)
        report_add_count(part, "tid", NULL, tid);
    report_add_text(part, is_by_task(groups) ? "command" : kinds[groups->by].name, NULL, name);
    groups->type->describe(group->state, part);
}

/* The analysis's figures, then what the group is. */
static ReportTable *make_table(const Groups *groups, Report *report)
{
    ReportColumn columns[MAX_FIGURES + 4] = { 0 };
    guint count = 0;

    for (; groups->type->figures[count].name; count++)
        columns[count] = groups->type->figures[count];
    if (is_by_task(groups))
        columns[count++] = (ReportColumn){ "pid", "pid", REPORT_COUNT };
    if (groups->by == GROUP_BY_OBJECT)
        columns[count++] = (ReportColumn){ "region", "region", REPORT_TEXT };
    if (groups->by == GROUP_BY_THREAD)
        columns[count++] = (ReportColumn){ "tid", "tid", REPORT_COUNT };
    columns[count] = (ReportColumn){ is_by_task(groups) ? "command" : kinds[groups->by].name,
                                     is_by_task(groups) ? "command" : kinds[groups->by].name, REPORT_TEXT };
    return report_add_table(report, kinds[groups->by].list, kinds[groups->by].label, columns);
}

void groups_describe(Groups *groups, Report *report)
{
    g_autoptr(GArray) sorted = g_array_copy(groups->groups);
    ReportTable *table = groups->type->figures ? make_table(groups, report) : NULL;

    g_array_sort(sorted, compare_groups);
    for (guint i = 0; i < sorted->len; i++)
        describe_group(groups, &g_array_index(sorted, Group, i), table, report);
}
