/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_tracer run COMMAND... and record -o FILE COMMAND...: the easy way. Traces a program of this machine in the
 * default guest, and sums it up or records it. */
#include <errno.h>
#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>

#include "../run/image.h"
#include "../run/paths.h"
#include "../run/session.h"
#include "cmd.h"
#include "run_options.h"
#include "summary_file.h"

static void add_row(GString *text, const char *label, uint64_t count, uint64_t total)
{
    g_string_append_printf(text, "  %-24s %'18" G_GUINT64_FORMAT, label, count);
    if (total)
        g_string_append_printf(text, "  %5.1f %%", 100.0 * (double)count / (double)total);
    g_string_append_c(text, '\n');
}

static double records_per_s(const SessionResult *result)
{
    return result->traced_ns ? (double)result->counts.written * 1e9 / (double)result->traced_ns : 0;
}

static uint64_t lost(const SessionResult *result)
{
    return result->counts.events - result->counts.skipped - result->counts.written;
}

static void add_summary(GString *text, const SessionOptions *options, const SessionResult *result)
{
    const FootprintResult *footprint = &result->footprint;

    g_string_append_printf(text, "\nmemory_tracer: %.3f s traced%s%s\n", (double)result->traced_ns / 1e9,
                           options->capture.user_only ? ", user code only" : "",
                           result->stopped ? ", until it was stopped" : "");
    if (options->destination.kind == DESTINATION_NONE || options->destination.kind == DESTINATION_IDLE)
        return;
    add_row(text, "accesses", result->counts.events, 0);
    if (result->counts.skipped)
        add_row(text, "traced (sampling)", result->counts.written, result->counts.events);
    if (options->destination.kind == DESTINATION_FOOTPRINT) {
        add_row(text, "loads", footprint->loads, footprint->accesses);
        add_row(text, "stores", footprint->stores, footprint->accesses);
        add_row(text, "by the kernel", footprint->kernel, footprint->accesses);
        add_row(text, "by user code", footprint->user, footprint->accesses);
        for (int shift = 0; shift < 8; shift++) {
            g_autofree char *label = g_strdup_printf("of %d byte%s", 1 << shift, shift ? "s" : "");

            if (footprint->by_size_shift[shift])
                add_row(text, label, footprint->by_size_shift[shift], footprint->accesses);
        }
        add_row(text, "distinct 64-byte lines", footprint->lines, 0);
        add_row(text, "distinct 4-KiB pages", footprint->pages, 0);
    }
    if (options->destination.kind == DESTINATION_TRACE) {
        add_row(text, "bytes in the file", result->trace_bytes, 0);
        if (result->counts.written)
            g_string_append_printf(text, "  %-24s %18.3f\n", "bytes per record",
                                   (double)result->trace_bytes / (double)result->counts.written);
    }
    add_row(text, "records per second", (uint64_t)records_per_s(result), 0);
    add_row(text, "lost records", lost(result), 0);
    run_options_warn(text, options, result);
}

static char *summary_as_json(const SessionOptions *options, const SessionResult *result)
{
    const FootprintResult *footprint = &result->footprint;
    g_autoptr(JsonNode) root = json_node_new(JSON_NODE_OBJECT);
    JsonObject *summary = json_object_new();

    json_node_take_object(root, summary);
    json_object_set_int_member(summary, "traced_ns", (gint64)result->traced_ns);
    json_object_set_int_member(summary, "guest_ns", (gint64)result->guest_ns);
    json_object_set_int_member(summary, "exit_status", result->status);
    json_object_set_int_member(summary, "exit_signal", result->signal);
    if (result->ended_by)
        json_object_set_string_member(summary, "ended_by", result->ended_by);
    if (options->destination.kind != DESTINATION_NONE) {
        json_object_set_int_member(summary, "accesses", (gint64)result->counts.events);
        json_object_set_int_member(summary, "records_written", (gint64)result->counts.written);
        json_object_set_int_member(summary, "accesses_skipped", (gint64)result->counts.skipped);
        json_object_set_int_member(summary, "records_lost", (gint64)lost(result));
        json_object_set_double_member(summary, "records_per_second", records_per_s(result));
    }
    if (options->destination.kind == DESTINATION_TRACE)
        json_object_set_int_member(summary, "trace_bytes", (gint64)result->trace_bytes);
    if (options->destination.kind == DESTINATION_FOOTPRINT) {
        JsonObject *by_bytes = json_object_new();

        for (int shift = 0; shift < 8; shift++) {
            g_autofree char *bytes = g_strdup_printf("%d", 1 << shift);

            if (footprint->by_size_shift[shift])
                json_object_set_int_member(by_bytes, bytes, (gint64)footprint->by_size_shift[shift]);
        }
        json_object_set_int_member(summary, "loads", (gint64)footprint->loads);
        json_object_set_int_member(summary, "stores", (gint64)footprint->stores);
        json_object_set_int_member(summary, "kernel", (gint64)footprint->kernel);
        json_object_set_int_member(summary, "user", (gint64)footprint->user);
        json_object_set_object_member(summary, "accesses_by_bytes", by_bytes);
        json_object_set_int_member(summary, "distinct_64_byte_lines", (gint64)footprint->lines);
        json_object_set_int_member(summary, "distinct_4_KiB_pages", (gint64)footprint->pages);
    }
    return json_to_string(root, FALSE);
}

/* The program's path on this machine: as given if it has a slash, else from PATH. */
static char *find_command(const char *name, GError **error)
{
    char *found = strchr(name, '/') ? g_strdup(name) : g_find_program_in_path(name);

    if (!found)
        mt_fail(error, "%s is not in PATH", name);
    return found;
}

static bool parse_destination(const char *name, DestinationKind *destination, GError **error)
{
    static const struct {
        const char *name;
        DestinationKind destination;
    } known[] = {
        { "footprint", DESTINATION_FOOTPRINT },
        { "null", DESTINATION_NULL },
        { "idle", DESTINATION_IDLE },
        { "untraced", DESTINATION_NONE },
    };

    *destination = DESTINATION_FOOTPRINT;
    for (guint i = 0; i < G_N_ELEMENTS(known); i++)
        if (!name || !strcmp(name, known[i].name)) {
            *destination = known[i].destination;
            return true;
        }
    return mt_fail_usage(error, "sink must be footprint, null, idle or untraced, but %s isn't.", name);
}

static bool print(Session *session, const SessionOptions *options, const SessionResult *result, bool json,
                  SummaryFile *summary_file, GError **error)
{
    g_autofree char *as_json = json || summary_file ? summary_as_json(options, result) : NULL;
    g_autoptr(GString) text = g_string_new(NULL);

    if (summary_file && !summary_file_write(summary_file, as_json, error))
        return false;
    if (json && !summary_file)
        g_string_append_printf(text, "%s\n", as_json);
    else if (!summary_file)
        add_summary(text, options, result);
    session_print_error(session, text);
    return session_flush(session, error);
}

static int run_command(int argc, char **argv, bool record, GError **error)
{
    g_autofree char *image = NULL, *qemu = NULL, *sink = NULL, *fifo = NULL, *summary_path = NULL, *program = NULL;
    g_autofree char *output = NULL, *fields = NULL;
    gboolean user_only = FALSE, json = FALSE;
    const GOptionEntry run_only[] = {
        { "fifo", 0, 0, G_OPTION_ARG_FILENAME, &fifo, "Write the trace into this FIFO instead of analysing it",
          "PATH" },
        { "sink", 0, 0, G_OPTION_ARG_STRING, &sink,
          "What takes the records: footprint (the summary), null (nothing), idle (loads the plugin, traces nothing), "
          "untraced (no plugin)",
          "SINK" },
    };
    const GOptionEntry record_only[] = {
        { "output", 'o', 0, G_OPTION_ARG_FILENAME, &output, "The trace file to write", "FILE" },
        { "fields", 0, 0, G_OPTION_ARG_STRING, &fields, RUN_OPTIONS_FIELDS_HELP, "LIST" },
    };
    const GOptionEntry *special = record ? record_only : run_only;
    const GOptionEntry own[] = {
        special[0],
        special[1],
        { "user_only", 'u', 0, G_OPTION_ARG_NONE, &user_only, "Trace user code only, not the kernel", NULL },
        { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print the summary as JSON", NULL },
        { "summary", 0, 0, G_OPTION_ARG_FILENAME, &summary_path, "Write the summary, as JSON, to a file instead",
          "FILE" },
        { "image", 0, 0, G_OPTION_ARG_FILENAME, &image, "The guest (default: the one of 'memory_tracer image build')",
          "IMAGE" },
        { "qemu", 0, 0, G_OPTION_ARG_FILENAME, &qemu, "QEMU, or a folder that has one (default: from PATH)", "PATH" },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    g_auto(RunOptions) run = RUN_OPTIONS_INIT;
    g_autofree GOptionEntry *entries = run_options_entries(&run, own);
    g_autoptr(SummaryFile) summary_file = NULL;
    g_autoptr(Session) session = NULL;
    SessionOptions options = { .snapshot = IMAGE_DEFAULT_SNAPSHOT };
    SessionResult result;

    if (!cmd_parse_options(
            &argc, &argv, entries, "[--] COMMAND [ARG...]",
            record ? "Runs a program of this machine, with the libraries it needs, in the default guest, and records "
                     "every memory access meanwhile into a compressed trace file. The program's output and exit "
                     "status are passed on."
                   : "Runs a program of this machine, with the libraries it needs, in the default guest, traces every "
                     "memory access meanwhile, and ends with a summary on stderr. The program's output and exit "
                     "status are passed on.",
            NULL, true, error))
        return -1;
    if (argc < 2) {
        mt_fail_usage(error, "%s: a COMMAND is needed (see --help)", record ? "record" : "run");
        return -1;
    }
    if (record && !output) {
        mt_fail_usage(error, "record: --output FILE is needed");
        return -1;
    }
    if (record && !cmd_check_trace_output(output, error))
        return -1;
    if (fifo && sink) {
        mt_fail_usage(error, "--fifo and --sink can't both be used");
        return -1;
    }
    if (!parse_destination(sink, &options.destination.kind, error))
        return -1;
    if (record) {
        options.destination.kind = DESTINATION_TRACE;
        options.destination.path = output;
        if (!run_options_parse_fields(fields, &options.destination.fields, error))
            return -1;
    }
    if (!run_options_apply(&run, &options, error))
        return -1;
    if (fifo) {
        options.destination.kind = DESTINATION_FIFO;
        options.destination.path = fifo;
    }
    if (!image) {
        image = paths_default_image();
        if (!g_file_test(image, G_FILE_TEST_EXISTS)) {
            mt_fail(error, "there is no default guest yet (%s): make it with 'memory_tracer image build'", image);
            return -1;
        }
    }
    program = find_command(argv[1], error);
    if (!program)
        return -1;
    argv[1] = program;
    options.workload.argv = (const char *const *)argv + 1;
    options.workload.is_on_host = options.workload.pass_output = true;
    options.image = image;
    options.qemu = qemu ? qemu : DEFAULT_QEMU;
    options.capture.user_only = user_only;
    options.capture.stay_idle = options.destination.kind == DESTINATION_IDLE;
    if (summary_path && !(summary_file = summary_file_new(summary_path, error)))
        return -1;
    session = session_new(&options);
    if (!session_run(session, &result, error))
        return -1;

    if (!print(session, &options, &result, json, summary_file, error))
        return -1;
    if (result.stopped) {
        g_propagate_error(error, g_error_copy(result.stopped));
        return -1;
    }
    if (result.timed_out)
        return 0; /* it was we who killed it */
    return result.signal ? 128 + result.signal : result.status;
}

int cmd_run(int argc, char **argv, GError **error)
{
    return run_command(argc, argv, false, error);
}

int cmd_record(int argc, char **argv, GError **error)
{
    return run_command(argc, argv, true, error);
}
