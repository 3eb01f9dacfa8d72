/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_tracer info FILE: what a trace file tells about itself. */
#include "../base/printable.h"
#include "../context/missing_code.h"
#include "../source/input.h"
#include "cmd.h"
#include "debug_files.h"
#include "forms.h"

static const struct {
    unsigned field;
    const char *name;
} fields[] = { { MT_FIELD_INSTRUCTION, "pc" },     { MT_FIELD_PADDR, "paddr" }, { MT_FIELD_VALUE, "value" },
               { MT_FIELD_TIME, "time" },          { MT_FIELD_TASK, "task" },   { MT_FIELD_EXECUTED, "executed" },
               { MT_FIELD_PAGE_SIZE, "page_size" } };

/* What is there of fields, as a list of names. */
static void describe_fields(Report *report, const mt_trace *trace)
{
    const char *names[G_N_ELEMENTS(fields) + 1] = { NULL };
    guint count = 0;

    for (guint i = 0; i < G_N_ELEMENTS(fields); i++)
        if (mt_trace_fields(trace) & fields[i].field)
            names[count++] = fields[i].name;
    report_add_texts(report, "fields", "fields", names);
}

static void describe_records(Report *report, const mt_trace *trace, JsonObject *metadata)
{
    uint64_t records = mt_trace_records(trace), accesses = input_metadata_number(metadata, "accesses", UINT64_MAX);
    bool exact;
    uint64_t known = input_known_records(trace, metadata, &exact);

    report_add_count(report, "records", "records", records);
    if (exact || known > records) /* else it isn't known */
        report_add_count(report, "records_missing", "records missing", known - records);
    if (accesses == UINT64_MAX)
        return;
    report_add_count(report, "accesses", "accesses", accesses);
    report_add_count(report, "accesses_skipped", "accesses skipped", input_metadata_number(metadata, "skipped", 0));
    report_add_count(report, "records_dropped", "records dropped", input_metadata_number(metadata, "dropped", 0));
}

/* Files whose code has no names. */
static void describe_missing(Report *report, mt_trace *trace)
{
    static const ReportColumn columns[] = { { "why", "why", REPORT_TEXT }, { "path", "file", REPORT_TEXT }, { NULL } };
    g_autoptr(GPtrArray) missing = missing_code_read(trace);
    ReportTable *table =
        missing->len ? report_add_table(report, "files_without_names", "files without names", columns) : NULL;

    for (guint i = 0; i < missing->len; i++) {
        const MissingCode *file = missing->pdata[i];
        g_autofree char *path = text_make_printable(file->path);

        report_table_add_row(table, missing_code_explain(file->reason), path);
    }
}

static Report *describe(mt_trace *trace)
{
    g_autoptr(JsonObject) metadata = input_metadata(trace);
    JsonNode *node = json_node_new(JSON_NODE_OBJECT);
    Report *report = report_new();
    uint64_t records = mt_trace_records(trace);

    report_add_count(report, "format_version", "format version", 1);
    report_add_flag(report, "complete", "complete", mt_trace_is_complete(trace));
    if (mt_trace_damage(trace))
        report_add_text(report, "damage", "damage", mt_trace_damage(trace));
    describe_fields(report, trace);
    report_add_count(report, "vcpus", "vCPUs", mt_trace_vcpus(trace));
    describe_records(report, trace, metadata);
    report_add_count(report, "instructions", "instructions", mt_trace_instructions(trace));
    report_add_count(report, "blocks", "blocks", mt_trace_blocks(trace));
    report_add_count(report, "bytes", "bytes", mt_trace_bytes(trace));
    if (records)
        report_add_real(report, "bytes_per_record", "bytes per record", (double)mt_trace_bytes(trace) / (double)records,
                        3);
    describe_missing(report, trace);
    debug_files_describe(trace, report);
    json_node_set_object(node, metadata);
    report_add_json(report, "metadata", "metadata", node);
    return report;
}

int cmd_info(int argc, char **argv, GError **error)
{
    g_autofree char *folder = NULL;
    const GOptionEntry own[] = {
        { "extract-debug", 0, 0, G_OPTION_ARG_FILENAME, &folder,
          "Write the debug information that the trace has in it (record --embed-debug) below this folder, as "
          "debuggers look for it: .build-id/12/3456.debug",
          "DIR" },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    Forms forms = { 0 };
    g_autofree GOptionEntry *entries = forms_entries(&forms, own);
    g_autoptr(Report) report = NULL;
    bool extracted;
    mt_trace *trace;

    if (!options_parse(&argc, &argv, entries, "FILE",
                       "Tells what is in a trace file: what was traced, how, how much, and what is missing.", NULL,
                       false, error) ||
        !forms_check(&forms, error))
        return -1;
    if (argc != 2) {
        mt_fail_usage(error, "info: one FILE is needed (see --help)");
        return -1;
    }
    trace = input_open_trace(argv[1], MT_FORMAT_FILE, error);
    if (!trace)
        return -1;
    extracted = !folder || debug_files_extract(trace, argv[1], folder, error);
    report = extracted ? describe(trace) : NULL;
    mt_trace_close(trace);
    return report && forms_print(&forms, report, error) ? 0 : -1;
}
