/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_tracer tasks FILE: the guest's tasks while it was traced, and what they had mapped. */
#include "../context/context.h"
#include "../source/input.h"
#include "../trace/file.h"
#include "cmd.h"
#include "forms.h"

#define EXIT_SIGNAL 0x7fu /* in an exit code as wait(2) has it; above it is the status */

/* "0", "1", "signal 9"; "" for one that goes on. */
static char *exit_text(const Task *task)
{
    if (!task->has_exited)
        return g_strdup("");
    if (task->exit_code & EXIT_SIGNAL)
        return g_strdup_printf("signal %u", (unsigned)(task->exit_code & EXIT_SIGNAL));
    return g_strdup_printf("%u", (unsigned)(task->exit_code >> 8 & 0xff));
}

static void describe_tasks(Report *report, const TaskTable *tasks)
{
    static const ReportColumn columns[] = {
        { "task", "task", REPORT_COUNT },        { "pid", "pid", REPORT_COUNT },
        { "tid", "tid", REPORT_COUNT },          { "parent", "parent", REPORT_COUNT },
        { "start_s", "start (s)", REPORT_REAL }, { "exit", "exit", REPORT_TEXT },
        { "name", "name", REPORT_TEXT },         { "program", "program", REPORT_TEXT },
        { "cgroup", "cgroup", REPORT_TEXT },     { NULL }
    };
    ReportTable *table = report_add_table(report, "tasks", "tasks (parent: 0 is one from before)", columns);

    for (uint32_t i = 1; i <= task_table_tasks(tasks); i++) {
        const Task *task = task_table_task(tasks, i);
        g_autofree char *exit = task ? exit_text(task) : NULL;

        if (task)
            report_table_add_row(table, (uint64_t)task->number, (uint64_t)task->tgid, (uint64_t)task->pid,
                                 (uint64_t)task->parent, (double)task->start_ns / 1e9, exit, task->name, task->program,
                                 task->cgroup);
    }
}

/* How the changes of mappings are shown: which of their values are a memory, where a range begins and ends. */
typedef struct {
    const char *name;
    unsigned memory, begin; /* `begin` 0: there is no range */
} MappingKind;

static const MappingKind *mapping_kind(unsigned kind)
{
    static const MappingKind kinds[] = {
        [CHANGE_EXEC] = { "exec", 1, 0 },      [CHANGE_MAP] = { "map", 0, 1 },     [CHANGE_UNMAP] = { "unmap", 0, 1 },
        [CHANGE_MOVE] = { "move", 0, 1 },      [CHANGE_COPY] = { "copy", 0, 0 },   [CHANGE_GONE] = { "gone", 0, 0 },
        [CHANGE_WAS_MAPPED] = { "was", 0, 1 }, [CHANGE_STACK] = { "stack", 1, 2 }, [CHANGE_MEMORY] = { "memory", 1, 0 },
    };

    return kind < G_N_ELEMENTS(kinds) && kinds[kind].name ? &kinds[kind] : NULL;
}

/* What is shown of a change instead of its text; NULL: the text. To be freed. */
static char *more_of_change(const TraceChange *change)
{
    const uint64_t *value = change->value;

    switch (change->kind) {
    case CHANGE_MOVE:
        return g_strdup_printf("%sto %" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER "x", value[5] ? "also " : "",
                               value[3], value[4]);
    case CHANGE_COPY:
        return g_strdup_printf("of memory %" G_GUINT64_FORMAT, value[1]);
    case CHANGE_EXEC:
        return g_strdup_printf("%s, by task %" G_GUINT64_FORMAT, change->text, value[0]);
    case CHANGE_STACK:
    case CHANGE_MEMORY:
        return g_strdup_printf("of task %" G_GUINT64_FORMAT, value[0]);
    default:
        return NULL;
    }
}

/* "rwxp", as in /proc/PID/maps. */
static void flags_text(uint64_t flags, char text[5])
{
    text[0] = flags & CHANGE_MAP_READ ? 'r' : '-';
    text[1] = flags & CHANGE_MAP_WRITE ? 'w' : '-';
    text[2] = flags & CHANGE_MAP_EXECUTE ? 'x' : '-';
    text[3] = flags & CHANGE_MAP_SHARED ? 's' : 'p';
    text[4] = 0;
}

static void describe_mappings(Report *report, const TraceChanges *changes)
{
    static const ReportColumn columns[] = { { "index", "record", REPORT_COUNT },
                                            { "change", "change", REPORT_TEXT },
                                            { "memory", "memory", REPORT_COUNT },
                                            { "begin", "begin", REPORT_ADDRESS },
                                            { "end", "end", REPORT_ADDRESS },
                                            { "flags", "flags", REPORT_TEXT },
                                            { "offset", "offset", REPORT_ADDRESS },
                                            { "path", "file, or what else is known", REPORT_TEXT },
                                            { NULL } };
    ReportTable *table = report_add_table(report, "mappings", "mappings, in the order of the trace", columns);

    for (guint i = 0; i < changes->list->len; i++) {
        const TraceChange *change = &g_array_index(changes->list, TraceChange, i);
        const uint64_t *value = change->value;
        const MappingKind *kind = mapping_kind(change->kind);
        bool is_map = change->kind == CHANGE_MAP || change->kind == CHANGE_WAS_MAPPED;
        g_autofree char *more = more_of_change(change);
        char flags[5] = "";

        if (!kind)
            continue;
        if (is_map)
            flags_text(value[3], flags);
        report_table_add_row(table, change->index, kind->name, value[kind->memory],
                             kind->begin ? value[kind->begin] : 0, kind->begin ? value[kind->begin + 1] : 0, flags,
                             is_map ? value[4] : 0, more ? more : change->text);
    }
}

int cmd_tasks(int argc, char **argv, GError **error)
{
    gboolean mappings = FALSE;
    const GOptionEntry own[] = {
        { "mappings", 'm', 0, G_OPTION_ARG_NONE, &mappings,
          "What was mapped where, and when, too (--json and --csv always have it)", NULL },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    Forms forms = { 0 };
    g_autofree GOptionEntry *entries = forms_entries(&forms, own);
    g_autoptr(Report) report = report_new();
    g_autoptr(Context) context = NULL;
    mt_trace *trace;

    if (!options_parse(&argc, &argv, entries, "FILE",
                       "Lists the processes and threads of the guest while it was traced: who began them, what they "
                       "executed, how they ended, and what they had mapped.",
                       NULL, false, error) ||
        !forms_check(&forms, error))
        return -1;
    if (argc != 2) {
        mt_fail_usage(error, "tasks: one FILE is needed (see --help)");
        return -1;
    }
    trace = input_open_trace(argv[1], MT_FORMAT_FILE, error);
    if (!trace)
        return -1;
    context = context_new(trace);
    if (context_has_tasks(context)) {
        describe_tasks(report, context_tasks(context));
        if (mappings || forms.json || forms.csv)
            describe_mappings(report, trace_file_of(trace)->changes);
        forms_print(&forms, report, error);
    } else {
        mt_fail(error, "%s doesn't tell which task made an access", argv[1]);
    }
    g_clear_pointer(&context, context_free);
    mt_trace_close(trace);
    return *error ? -1 : 0;
}
