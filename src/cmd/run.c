/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_tracer run COMMAND... and record -o FILE COMMAND...: the easy way. Traces a program of this machine in the
 * default guest, and sums it up or records it. */
#include <stdio.h>
#include <string.h>

#include "../run/command.h"
#include "../run/image.h"
#include "../run/paths.h"
#include "../run/session.h"
#include "cmd.h"
#include "course_options.h"
#include "ending.h"
#include "run_options.h"
#include "run_summary.h"
#include "summary_file.h"
#include "view_options.h"

/* The program's path on this machine: from the PATH that it will have, seen from where it will run. */
static char *find_command(const char *name, const WorkloadOptions *workload, GError **error)
{
    const char *path =
        workload->environment ? g_environ_getenv((char **)workload->environment, "PATH") : g_getenv("PATH");

    return command_find(name, path, workload->current_folder, error);
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
    g_autofree char *as_json = json || summary_file ? run_summary_as_json(options, result) : NULL;
    g_autoptr(GString) text = g_string_new(NULL);

    if (summary_file && !summary_file_write(summary_file, as_json, error))
        return false;
    if (json && !summary_file)
        g_string_append(text, as_json);
    else if (!summary_file)
        run_summary_append(text, options, result);
    else
        run_options_append_warnings(text, options, result);
    ending_append(text, options, result);
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
    g_auto(ViewOptions) view = { 0 };
    g_autofree GOptionEntry *view_entries = view_options_entries(&view);
    g_autofree GOptionEntry *special_entries = cmd_join_options(own, view_entries);
    g_auto(CourseOptions) course = { 0 };
    g_autofree GOptionEntry *course_entries = course_options_entries(&course);
    g_autofree GOptionEntry *run_entries = cmd_join_options(special_entries, course_entries);
    g_autofree GOptionEntry *entries = run_options_entries(&run, run_entries);
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
    if (!run_options_apply(&run, &options, error) || !course_options_apply(&course, &options, error))
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
    options.image = image;
    options.workload.argv = (const char *const *)argv + 1;
    options.workload.is_on_host = options.workload.may_be_text = options.workload.pass_output = true;
    if (!view_options_apply(&view, &options, error))
        return -1;
    options.workload.is_on_host = !view.prefers_guest || strchr(argv[1], '/');
    options.workload.program = program =
        options.workload.is_on_host ? find_command(argv[1], &options.workload, error) : g_strdup(argv[1]);
    if (!program || !view_options_check_workload(&options, error))
        return -1;
    options.qemu = qemu ? qemu : DEFAULT_QEMU;
    options.capture.user_only = user_only;
    options.capture.stay_idle = options.destination.kind == DESTINATION_IDLE;
    if (summary_path && !(summary_file = summary_file_new(summary_path, error)))
        return -1;
    options.summary = summary_path;
    session = session_new(&options);
    if (!session_run(session, &result, error))
        return -1;

    if (!print(session, &options, &result, json, summary_file, error))
        return -1;
    if (result.files_problem) {
        mt_fail(error, "%s", result.files_problem);
        return -1;
    }
    if (result.stopped) {
        g_propagate_error(error, g_error_copy(result.stopped));
        return -1;
    }
    return ending_status(&result);
}

int cmd_run(int argc, char **argv, GError **error)
{
    return run_command(argc, argv, false, error);
}

int cmd_record(int argc, char **argv, GError **error)
{
    return run_command(argc, argv, true, error);
}
