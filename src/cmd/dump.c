/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_tracer dump FILE: records as text or JSON, with symbols and disassembly. */
#include "../base/error.h"
#include "../base/printable.h"
#include "../source/input.h"
#include "cmd.h"
#include "dump_columns.h"

typedef struct {
    Input *input;
    DumpCode *code;
    GPtrArray *columns; /* of const DumpColumn */
    unsigned fields;    /* of the trace: those that the columns need */
    bool has_objects;
    gboolean lines, json;
    char *list; /* --columns */
    GString *line;
    const struct mt_task *task; /* the last one that was asked for, and its name */
    char *command;
} Dump;

/* A task's name is the guest's bytes. */
static const char *command_of(Dump *dump, const struct mt_task *task)
{
    if (task != dump->task) {
        g_free(dump->command);
        dump->command = task ? text_make_printable(task->name) : NULL;
        dump->task = task;
    }
    return dump->command;
}

static bool print_record(Dump *dump, size_t i, GError **error)
{
    DumpRow row = { .batch = dump->input->batch, .i = i };

    if (dump->fields & MT_FIELD_TASK)
        row.task = mt_task_at(dump->input->trace, row.batch, i, &row.context);
    row.command = command_of(dump, row.task);
    if (dump->fields & MT_FIELD_INSTRUCTION)
        row.code = dump_code_find(dump->code, row.batch, i);
    if (dump->has_objects)
        row.object = mt_object_of(dump->input->trace, row.batch, i);
    g_string_truncate(dump->line, 0);
    if (dump->json)
        dump_columns_add_json(dump->line, dump->columns, &row);
    else
        dump_columns_add_text(dump->line, dump->columns, &row);
    return cmd_print(dump->line->str, dump->line->len, error);
}

static int dump_all(Dump *dump, GError **error)
{
    int more;

    if (!dump->json) {
        dump_columns_add_heading(dump->line, dump->columns);
        if (!cmd_print(dump->line->str, dump->line->len, error))
            return -1;
    }
    while ((more = input_next(dump->input, error)) > 0) {
        for (size_t k = 0; k < dump->input->count; k++)
            if (!print_record(dump, dump->input->selected[k], error))
                return -1;
    }
    return more < 0 ? -1 : 0;
}

static bool choose_columns(Dump *dump, GError **error)
{
    unsigned fields = mt_trace_fields(dump->input->trace);

    dump->columns = dump->list ? dump_columns_parse(dump->list, fields, error)
                               : dump_columns_default(fields, dump->json, dump->lines);
    if (!dump->columns)
        return false;
    dump->fields = dump_columns_fields(dump->columns);
    dump->has_objects = dump_columns_have_objects(dump->columns);
    return true;
}

static void dump_clear(Dump *dump)
{
    g_free(dump->list);
    g_free(dump->command);
    g_clear_pointer(&dump->columns, g_ptr_array_unref);
    if (dump->line)
        g_string_free(dump->line, TRUE);
    dump_code_free(dump->code);
    input_free(dump->input);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Dump, dump_clear)

int cmd_dump(int argc, char **argv, GError **error)
{
    g_auto(Selection) selection = SELECTION_INIT;
    g_auto(Dump) dump = { 0 };
    const GOptionEntry own[] = {
        { "columns", 0, 0, G_OPTION_ARG_STRING, &dump.list,
          "These columns, in this order: index, vcpu, cpl, access (type and size), type, size, address, paddr, "
          "page_size, value, "
          "time_ns, task, pid, tid, command, context, region, object, pc, bytes, place, function, offset, binary, "
          "instruction, file, "
          "line, source",
          "LIST" },
        { "json", 0, 0, G_OPTION_ARG_NONE, &dump.json, "A JSON object for each record, in a line of its own", NULL },
        { "lines", 0, 0, G_OPTION_ARG_NONE, &dump.lines,
          "Also the source line of each instruction, and the inlined functions that it is in, where the trace has them",
          NULL },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    g_autofree GOptionEntry *entries = selection_entries(&selection, own);

    if (!options_parse(
            &argc, &argv, entries, "FILE",
            "Prints the records of a trace as text, a line each: a trace file, or a stream of 16-byte (GMBEOO) "
            "or 8-byte (compact) records; \"-\" is standard input.",
            NULL, false, error))
        return -1;
    if (argc != 2) {
        mt_fail_usage(error, "dump: one FILE is needed (see --help)");
        return -1;
    }
    if (dump.list && dump.lines) {
        mt_fail_usage(error, "--lines and --columns can't both be given: the column is called source");
        return -1;
    }
    dump.input = input_open(argv[1], &selection, MT_COLUMN_ALL | MT_COLUMN_TASK | MT_COLUMN_PAGE_SIZE, error);
    if (!dump.input || !choose_columns(&dump, error))
        return -1;
    input_set_to_stdout(dump.input);
    dump.code = dump_code_new(dump.input->trace, error);
    dump.line = g_string_sized_new(512);
    return dump.code ? dump_all(&dump, error) : -1;
}
