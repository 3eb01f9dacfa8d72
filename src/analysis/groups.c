/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Analyses of groups: see groups.h. */
#include "groups.h"

#include <string.h>

#include "../base/error.h"
#include "../trace/batch_columns.h"
#include "../trace/events.h"

#define MAX_FIGURES 8
#define CODE_COLUMNS (MT_COLUMN_INSTRUCTION | MT_COLUMN_TASK)

typedef struct {
    void *state; /* the state of this group's own analysis; NULL if one state counts all groups */
    uint64_t records;
    uint32_t rows; /* how many records of the current batch it has */
    uint32_t begin;
} Group;

/* A kind of groups. */
typedef struct {
    const char *name, *list, *label; /* the word for --by; the name and the label of the list in the results */
    unsigned columns;
} Kind;

static const Kind kinds[] = {
    [GROUP_BY_NOTHING] = { NULL, NULL, NULL, 0 },
    [GROUP_BY_PROCESS] = { "process", "processes", "by process", MT_COLUMN_TASK },
    [GROUP_BY_THREAD] = { "thread", "threads", "by thread", MT_COLUMN_TASK },
    [GROUP_BY_FUNCTION] = { "function", "functions", "by function", CODE_COLUMNS },
    [GROUP_BY_LINE] = { "line", "lines_of_source", "by source line", CODE_COLUMNS },
    [GROUP_BY_FILE] = { "file", "files", "by file of code", CODE_COLUMNS },
    [GROUP_BY_OBJECT] = { "object", "objects", "by object", ADDRESS_OBJECTS_COLUMNS },
    [GROUP_BY_REGION] = { "region", "regions", "by kind of memory", ADDRESS_OBJECTS_COLUMNS },
};

struct Groups {
    GroupBy by;
    const AnalysisType *type;
    const void *options;
    const Context *context;
    GroupFinder *finder;
    bool in_one_pass;      /* the state of all records counts those of each group, too */
    GArray *groups;        /* Group, by number */
    GArray *group_of_row;  /* uint32_t, for the current batch */
    GArray *present;       /* uint32_t: the groups that the current batch has */
    GByteArray *sorted[9]; /* the batch's columns, group by group */
    bool reads_tasks;      /* whether the analysis reads MT_COLUMN_TASK */
    GArray *task_of_row;   /* uint32_t: numbers of the last events before the records, group by group */
    GArray *index_of_row;  /* uint64_t: indexes in the trace, group by group */
    GArray *events;        /* struct mt_event: those among one group's records */
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

static unsigned columns_of(const AnalysisType *type, const void *options)
{
    return type->columns_for ? type->columns_for(options) : type->columns;
}

Groups *groups_new(GroupBy by, const AnalysisType *type, const void *options, const Context *context, GError **error)
{
    bool by_task = group_way(by) == GROUP_WAY_TASK;
    GroupFinder *finder;
    Groups *groups;

    if ((by_task && !context_has_tasks(context)) ||
        (group_way(by) == GROUP_WAY_INSTRUCTION && !context_has_instructions(context))) {
        mt_fail(error, "--by %s: the trace doesn't tell which %s made an access", kinds[by].name,
                by_task ? "task" : "instruction");
        return NULL;
    }
    finder = group_finder_new(by, context);
    if (!finder) {
        mt_fail(error, "--by %s: only a trace file tells what an access goes to, or a run whose guest tells its tasks",
                kinds[by].name);
        return NULL;
    }
    groups = g_new0(Groups, 1);
    groups->by = by;
    groups->type = type;
    groups->options = type->figures ? type->figure_options : options;
    groups->context = context;
    groups->finder = finder;
    groups->in_one_pass =
        type->add_groups && (columns_of(type, options) & MT_COLUMN_INSTRUCTION) && context_has_instructions(context);
    groups->groups = g_array_new(FALSE, TRUE, sizeof(Group));
    groups->group_of_row = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    groups->present = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    groups->reads_tasks = columns_of(type, groups->options) & MT_COLUMN_TASK;
    groups->task_of_row = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    groups->index_of_row = g_array_new(FALSE, FALSE, sizeof(uint64_t));
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
        if (g_array_index(groups->groups, Group, i).state)
            groups->type->end(g_array_index(groups->groups, Group, i).state);
    g_array_unref(groups->groups);
    group_finder_free(groups->finder);
    g_array_unref(groups->group_of_row);
    g_array_unref(groups->present);
    g_array_unref(groups->task_of_row);
    g_array_unref(groups->index_of_row);
    g_array_unref(groups->events);
    for (guint i = 0; i < G_N_ELEMENTS(groups->sorted); i++)
        g_byte_array_unref(groups->sorted[i]);
    g_free(groups);
}

/* Finds the group of each record in the batch, and begins the analyses of new ones. */
static bool find_groups(Groups *groups, const struct mt_batch *batch, GError **error)
{
    group_finder_find(groups->finder, batch, (uint32_t *)groups->group_of_row->data);
    while (groups->groups->len < group_finder_count(groups->finder)) {
        Group group = { .state = groups->type->begin(groups->type, groups->options, groups->context, error) };

        if (!group.state)
            return false;
        g_array_append_val(groups->groups, group);
    }
    return true;
}

/* Sorts the batch's records by group (a counting sort, so that records of a group stay in order). */

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

/* The number of the last task event before each record. */
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

/* Each record's index in the trace. */
static const uint64_t *list_indices(Groups *groups, const struct mt_batch *batch)
{
    uint64_t *indices;

    g_array_set_size(groups->index_of_row, (guint)batch->count);
    indices = (uint64_t *)groups->index_of_row->data;
    for (size_t i = 0; i < batch->count; i++)
        indices[i] = events_index(batch, i);
    return indices;
}

/* Makes events from such numbers. Valid until the next call. */
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
    unsigned number = 0;
    const uint32_t *tasks = groups->reads_tasks ? list_tasks(groups, batch) : NULL;
    const uint64_t *indices = groups->reads_tasks ? list_indices(groups, batch) : NULL;

    for (size_t i = 0; i < batch->count; i++) { /* replaces each record's group by its new place */
        Group *group = &g_array_index(groups->groups, Group, rows[i]);

        rows[i] = group->begin + group->rows++;
    }
    sorted.index = indices;
#define SORT(type, column)                                                                                             \
    sorted.column = sort_column(groups, number++, sorted.column, sizeof(type), rows, batch->count);
    BATCH_COLUMNS(SORT)
#undef SORT
    tasks = sort_column(groups, number, tasks, sizeof *tasks, rows, batch->count);
    sorted.task = sorted.executed = (struct mt_events){ 0 };
    for (guint i = 0; i < groups->present->len; i++) {
        Group *group = &g_array_index(groups->groups, Group, g_array_index(groups->present, uint32_t, i));
        struct mt_batch part = sorted;

#define ADVANCE(type, column) part.column = sorted.column ? sorted.column + group->begin : NULL;
        BATCH_COLUMNS(ADVANCE)
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

static bool add_apart(Groups *groups, const struct mt_batch *batch, GError **error)
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

bool groups_add(Groups *groups, void *all, const struct mt_batch *batch, GError **error)
{
    if (groups->in_one_pass)
        return groups->type->add_groups(all, batch, groups->finder, error);
    return groups->type->add(all, batch, error) && add_apart(groups, batch, error);
}

/* The result. */

typedef struct {
    guint number;
    uint64_t records;
    uint64_t figures[MAX_FIGURES];
} Result;

static gint compare_results(gconstpointer a, gconstpointer b, gpointer data)
{
    const Result *one = a, *other = b;

    if (one->records != other->records)
        return one->records < other->records ? 1 : -1;
    return group_finder_compare(((const Groups *)data)->finder, one->number, other->number);
}

/* The groups' results; those with most records come first. */
static GArray *list_results(const Groups *groups, void *all)
{
    GArray *results = g_array_new(FALSE, TRUE, sizeof(Result));

    for (guint i = 0; i < group_finder_count(groups->finder); i++) {
        Result result = { .number = i };
        const Group *group = groups->in_one_pass ? NULL : &g_array_index(groups->groups, Group, i);

        if (groups->in_one_pass)
            groups->type->measure_group(all, i, result.figures);
        else if (groups->type->figures)
            groups->type->measure(group->state, result.figures);
        result.records = group ? group->records : result.figures[0];
        g_array_append_val(results, result);
    }
    g_array_sort_with_data(results, compare_results, (gpointer)groups);
    return results;
}

static bool is_by_task(const Groups *groups)
{
    return group_way(groups->by) == GROUP_WAY_TASK;
}

static void add_row(const Groups *groups, const Result *result, ReportTable *table)
{
    uint64_t pid, tid;
    const char *name = group_finder_name(groups->finder, result->number, &pid, &tid);

    report_table_begin_row(table);
    for (guint i = 0; groups->type->figures[i].name; i++)
        report_table_add_count(table, result->figures[i]);
    if (is_by_task(groups))
        report_table_add_count(table, pid);
    if (groups->by == GROUP_BY_OBJECT)
        report_table_add_text(table, group_finder_region(groups->finder, result->number));
    if (groups->by == GROUP_BY_THREAD)
        report_table_add_count(table, tid);
    report_table_add_text(table, name);
}

/* Describes all that the analysis has found for a group. */
static void describe_group(const Groups *groups, const Result *result, Report *report)
{
    uint64_t pid, tid;
    const char *name = group_finder_name(groups->finder, result->number, &pid, &tid);
    g_autofree char *title =
        groups->by == GROUP_BY_THREAD
            ? g_strdup_printf("%s, pid %" G_GUINT64_FORMAT ", thread %" G_GUINT64_FORMAT, name, pid, tid)
        : groups->by == GROUP_BY_PROCESS ? g_strdup_printf("%s, pid %" G_GUINT64_FORMAT, name, pid)
                                         : g_strdup(name);
    Report *part = report_add_to_list(report, kinds[groups->by].list, title);

    if (is_by_task(groups))
        report_add_count(part, "pid", NULL, pid);
    if (groups->by == GROUP_BY_OBJECT)
        report_add_text(part, "region", NULL, group_finder_region(groups->finder, result->number));
    if (groups->by == GROUP_BY_THREAD)
        report_add_count(part, "tid", NULL, tid);
    report_add_text(part, is_by_task(groups) ? "command" : kinds[groups->by].name, NULL, name);
    groups->type->describe(g_array_index(groups->groups, Group, result->number).state, part);
}

/* The columns are the analysis's figures, then what identifies the group. */
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

/* Adds a table, if the analysis has figures for one; else a list of the groups' results. */
void groups_describe(Groups *groups, void *all, Report *report)
{
    g_autoptr(GArray) results = list_results(groups, all);
    ReportTable *table = groups->type->figures ? make_table(groups, report) : NULL;

    for (guint i = 0; i < results->len; i++) {
        const Result *result = &g_array_index(results, Result, i);

        if (table)
            add_row(groups, result, table);
        else
            describe_group(groups, result, report);
    }
}
