/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_tracer objects FILE: what there was in the guest's processes that could be accessed, where and when. */
#include "../base/error.h"
#include "../base/options.h"
#include "../base/printable.h"
#include "../context/demangle.h"
#include "../context/user_objects.h"
#include "../source/input.h"
#include "cmd.h"
#include "forms.h"

typedef struct {
    ReportTable *table;
    uint64_t records;
} List;

static void add_row(List *list, const MappedObject *object, ObjectRegion region, const char *name, uint64_t begin,
                    uint64_t end)
{
    g_autofree char *printable = text_make_printable(name);

    report_table_add_row(list->table, object_region_name(region), begin, end, end - begin, (uint64_t)object->pid,
                         object->from, MIN(object->to, list->records), printable);
}

/* It is there as long as its file's code is. */
static void add_variable(void *data, const MappedObject *file, const Variable *variable, uint64_t bias)
{
    g_autofree char *programmers = demangle(variable->name, true);

    add_row(data, file, OBJECT_VARIABLE, programmers ? programmers : variable->name, variable->begin + bias,
            variable->end + bias);
}

static void describe(Report *report, mt_trace *trace, bool with_variables)
{
    static const ReportColumn columns[] = { { "region", "region", REPORT_TEXT },
                                            { "begin", "begin", REPORT_ADDRESS },
                                            { "end", "end", REPORT_ADDRESS },
                                            { "bytes", "bytes", REPORT_COUNT },
                                            { "pid", "pid", REPORT_COUNT },
                                            { "from", "from record", REPORT_COUNT },
                                            { "to", "to record", REPORT_COUNT },
                                            { "object", "object", REPORT_TEXT },
                                            { NULL } };
    g_autoptr(UserObjects) objects = user_objects_read(trace);
    const MemoryMap *map = user_objects_map(objects);
    List list = { report_add_table(report, "objects", "objects of user memory, in the order of the trace", columns),
                  input_end_of_trace(trace) };

    for (uint32_t i = 0; i < memory_map_objects(map); i++) {
        const MappedObject *object = memory_map_object(map, i);

        if (object->to > object->from)
            add_row(&list, object, object->region, object->name, object->begin, object->end);
    }
    if (with_variables)
        user_objects_list_variables(objects, add_variable, &list);
}

int cmd_objects(int argc, char **argv, GError **error)
{
    gboolean variables = FALSE;
    const GOptionEntry own[] = {
        { "variables", 0, 0, G_OPTION_ARG_NONE, &variables, "The variables of programs and libraries, too", NULL },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    Forms forms = { 0 };
    g_autofree GOptionEntry *entries = forms_entries(&forms, own);
    g_autoptr(Report) report = report_new();
    mt_trace *trace;

    if (!options_parse(&argc, &argv, entries, "FILE",
                       "Lists what the guest's processes had in their memory while it was traced: stacks, heaps, files "
                       "and so on, where it was and when.",
                       NULL, false, error) ||
        !forms_check(&forms, error))
        return -1;
    if (argc != 2) {
        mt_fail_usage(error, "objects: one FILE is needed (see --help)");
        return -1;
    }
    trace = input_open_trace(argv[1], MT_FORMAT_FILE, error);
    if (!trace)
        return -1;
    if (mt_trace_fields(trace) & MT_FIELD_TASK) {
        describe(report, trace, variables);
        forms_print(&forms, report, error);
    } else {
        mt_fail(error, "%s doesn't tell what was mapped", argv[1]);
    }
    mt_trace_close(trace);
    return *error ? -1 : 0;
}
