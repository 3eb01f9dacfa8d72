/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_tracer run COMMAND... and record -o FILE COMMAND...: the easy way. Traces a program of this machine in the
 * default guest, and sums it up or records it. */
#include <stdio.h>
#include <string.h>

#include "../base/paths.h"
#include "../base/regular_file.h"
#include "../analysis/stat.h"
#include "../run/live_selection.h"
#include "../run/session.h"
#include "../vm/command.h"
#include "../vm/image.h"
#include "cmd.h"
#include "course_options.h"
#include "ending.h"
#include "forms.h"
#include "run_options.h"
#include "run_summary.h"
#include "summary_file.h"
#include "view_options.h"

/* The program's path on this machine, found with the PATH and from the folder that the program will have. */
static char *find_command(const char *name, const WorkloadOptions *workload, GError **error)
{
    const char *path =
        workload->environment ? g_environ_getenv((char **)workload->environment, "PATH") : g_getenv("PATH");

    return command_find(name, path, workload->current_folder, workload->sees_host, error);
}

static bool parse_destination(const char *name, DestinationKind *destination, GError **error)
{
    static const struct {
        const char *name;
        DestinationKind destination;
    } known[] = {
        { "footprint", DESTINATION_ANALYSES },
        { "null", DESTINATION_NULL },
        { "idle", DESTINATION_IDLE },
        { "untraced", DESTINATION_NONE },
    };

    *destination = DESTINATION_ANALYSES;
    for (guint i = 0; i < G_N_ELEMENTS(known); i++)
        if (!name || !strcmp(name, known[i].name)) {
            *destination = known[i].destination;
            return true;
        }
    return mt_fail_usage(error, "--sink must be footprint, null, idle or untraced, but %s isn't.", name);
}

/* The verb's options, as GOption leaves them, and what was made of them. */
typedef struct {
    bool record;
    char *image, *qemu, *sink, *fifo, *summary, *output, *fields;
    char **analyze;
    Selection selection;
    GPtrArray *analyses; /* AnalysisRequest */
    gboolean user_only, embed_debug;
    Forms forms;
    RunOptions run;
    ViewOptions view;
    CourseOptions course;
    char *program;
} Command;

static bool print(Session *session, const SessionOptions *options, const SessionResult *result, const Command *command,
                  SummaryFile *summary_file, GError **error)
{
    g_autoptr(Report) report = run_summary_report(options, result);
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *summary = NULL;

    if (summary_file) {
        g_autofree char *json = report_as_json(report, false);

        if (!summary_file_write(summary_file, json, error))
            return false;
    } else {
        summary = forms_format(&command->forms, report, false);
        g_string_append(text, summary);
    }
    if (summary_file || !command->forms.json)
        run_options_append_warnings(text, options, result);
    ending_append(text, options, result);
    session_print_error(session, text);
    return session_flush(session, error);
}

static void command_clear(Command *command)
{
    g_free(command->image);
    g_free(command->qemu);
    g_free(command->sink);
    g_free(command->fifo);
    g_free(command->summary);
    g_free(command->output);
    g_free(command->fields);
    g_free(command->program);
    g_strfreev(command->analyze);
    selection_clear(&command->selection);
    g_clear_pointer(&command->analyses, g_ptr_array_unref);
    run_options_clear(&command->run);
    view_options_clear(&command->view);
    course_options_clear(&command->course);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Command, command_clear)

/* The table of all options. To be freed. */
static GOptionEntry *make_entries(Command *command)
{
    const GOptionEntry run_only[] = {
        { "fifo", 0, 0, G_OPTION_ARG_FILENAME, &command->fifo, "Write the trace into this FIFO instead of analysing it",
          "PATH" },
        { "sink", 0, 0, G_OPTION_ARG_STRING, &command->sink,
          "What takes the records: footprint (the summary), null (nothing), idle (loads the plugin, traces nothing), "
          "untraced (no plugin)",
          "SINK" },
        { "analyze", 'a', 0, G_OPTION_ARG_STRING_ARRAY, &command->analyze,
          "Analyse the accesses while it runs: stat:top=20, or ./mine.so (may be given several times)", "ANALYSIS" },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    const GOptionEntry record_only[] = {
        { "output", 'o', 0, G_OPTION_ARG_FILENAME, &command->output, "The trace file to write", "FILE" },
        { "fields", 0, 0, G_OPTION_ARG_STRING, &command->fields, RUN_OPTIONS_FIELDS_HELP, "LIST" },
        { "embed-debug", 0, 0, G_OPTION_ARG_NONE, &command->embed_debug,
          "Keep the debug information of the executed programs and libraries in the trace file (memory_tracer info "
          "--extract-debug gives it back)",
          NULL },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    g_autofree GOptionEntry *with_selection = selection_live_entries(&command->selection, run_only);
    const GOptionEntry *special = command->record ? record_only : with_selection;
    const GOptionEntry own[] = {
        { "user-only", 'u', 0, G_OPTION_ARG_NONE, &command->user_only, "Trace user code only, not the kernel", NULL },
        { "json", 0, 0, G_OPTION_ARG_NONE, &command->forms.json, "Print the summary as JSON", NULL },
        { "csv", 0, 0, G_OPTION_ARG_NONE, &command->forms.csv, "Print the summary as comma-separated values", NULL },
        { "summary", 0, 0, G_OPTION_ARG_FILENAME, &command->summary, "Write the summary, as JSON, to a file instead",
          "FILE" },
        { "image", 0, 0, G_OPTION_ARG_FILENAME, &command->image,
          "The guest (default: the one of 'memory_tracer image build')", "IMAGE" },
        { "qemu", 0, 0, G_OPTION_ARG_FILENAME, &command->qemu, "QEMU, or a folder that has one (default: from PATH)",
          "PATH" },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    g_autofree GOptionEntry *with_special = options_join(special, own);
    g_autofree GOptionEntry *view = view_options_entries(&command->view);
    g_autofree GOptionEntry *course = course_options_entries(&command->course);
    g_autofree GOptionEntry *with_view = options_join(with_special, view);
    g_autofree GOptionEntry *with_course = options_join(with_view, course);

    return run_options_entries(&command->run, with_course);
}

static bool parse(Command *command, int *argc, char ***argv, GError **error)
{
    g_autofree GOptionEntry *entries = make_entries(command);

    if (!options_parse(
            argc, argv, entries, "[--] COMMAND [ARG...]",
            command->record
                ? "Runs a program of this machine in the default guest, where it sees this machine's files, and "
                  "records every memory access meanwhile into a compressed trace file. The program's output and exit "
                  "status are passed on."
                : "Runs a program of this machine in the default guest, where it sees this machine's files, traces "
                  "every memory access meanwhile, and ends with a summary on stderr. The program's output and exit "
                  "status are passed on.",
            NULL, true, error))
        return false;
    if (!forms_check(&command->forms, error))
        return false;
    if (*argc < 2)
        return mt_fail_usage(error, "%s: a COMMAND is needed (see --help)", command->record ? "record" : "run");
    if (command->record && !command->output)
        return mt_fail_usage(error, "record: --output FILE is needed");
    return true;
}

/* What `run` prints unless something else was asked for. */
static AnalysisRequest *brief_statistics(void)
{
    AnalysisRequest *request = analysis_request_new(&stat_analysis);
    StatOptions *options = analysis_request_options(request);

    options->brief = TRUE;
    return request;
}

/* Of a picture and the summary in one file, one would be lost. */
static bool check_apart(const Command *command, GError **error)
{
    for (guint i = 0; command->summary && i < command->analyses->len; i++) {
        const char *output = analysis_request_output(command->analyses->pdata[i]);

        if (output && regular_file_is_same(output, command->summary))
            return mt_fail(error, "can't write both the result of an analysis and the summary into %s", output);
    }
    return true;
}

static bool set_analyses(Command *command, DestinationOptions *destination, GError **error)
{
    command->analyses = g_ptr_array_new_with_free_func((GDestroyNotify)analysis_request_free);
    if (!cmd_parse_analyses(command->analyze, command->analyses, error) || !check_apart(command, error))
        return false;
    destination->analyses_asked_for = command->analyses->len;
    if (!command->analyses->len)
        g_ptr_array_add(command->analyses, brief_statistics());
    destination->analyses = (LiveOptions){ command->analyses, &command->selection };
    destination->fields = live_analyses_fields(&destination->analyses);
    return true;
}

static bool set_destination(Command *command, DestinationOptions *destination, GError **error)
{
    if (command->record) {
        destination->kind = DESTINATION_TRACE;
        destination->path = command->output;
        destination->embed_debug = command->embed_debug;
        return options_check_trace_output(command->output, error) &&
               run_options_parse_fields(command->fields, &destination->fields, error);
    }
    if (command->fifo && command->sink)
        return mt_fail_usage(error, "--fifo and --sink can't both be used");
    if (!parse_destination(command->sink, &destination->kind, error))
        return false;
    if (command->analyze && (command->fifo || command->sink))
        return mt_fail_usage(error, "--analyze can't be used together with --%s", command->fifo ? "fifo" : "sink");
    if (selection_live_option(&command->selection) && !command->analyze)
        return mt_fail_usage(error, "--%s needs --analyze", selection_live_option(&command->selection));
    if (!live_selection_check(&command->selection, error))
        return false;
    if (command->fifo) {
        destination->kind = DESTINATION_FIFO;
        destination->path = command->fifo;
    }
    return destination->kind != DESTINATION_ANALYSES || set_analyses(command, destination, error);
}

static bool set_image(Command *command, SessionOptions *options, GError **error)
{
    if (!command->image) {
        const char *chosen = g_getenv("MEMORY_TRACER_IMAGE");

        command->image = paths_default_image();
        if (!g_file_test(command->image, G_FILE_TEST_EXISTS))
            return chosen && *chosen
                       ? mt_fail(
                             error,
                             "MEMORY_TRACER_IMAGE: there is no guest image %s ('memory_tracer image build' makes one)",
                             chosen)
                       : mt_fail(error,
                                 "there is no default guest yet (%s): make it with 'memory_tracer "
                                 "image build'",
                                 command->image);
    }
    options->image = command->image;
    return true;
}

static bool set_workload(Command *command, SessionOptions *options, char **argv, GError **error)
{
    WorkloadOptions *workload = &options->workload;

    workload->argv = (const char *const *)argv;
    workload->may_be_text = workload->pass_output = true;
    if (!view_options_apply(&command->view, options, error))
        return false;
    workload->is_on_host = !command->view.prefers_guest || strchr(argv[0], '/');
    command->program = workload->is_on_host ? find_command(argv[0], workload, error) : g_strdup(argv[0]);
    workload->program = command->program;
    return command->program && view_options_check_workload(&command->view, options, error);
}

static bool apply(Command *command, SessionOptions *options, char **argv, GError **error)
{
    if (!set_destination(command, &options->destination, error) || !run_options_apply(&command->run, options, error) ||
        !course_options_apply(&command->course, options, error) || !set_image(command, options, error) ||
        !set_workload(command, options, argv, error))
        return false;
    options->qemu = command->qemu ? command->qemu : DEFAULT_QEMU;
    options->capture.user_only = command->user_only;
    options->capture.stay_idle = options->destination.kind == DESTINATION_IDLE;
    options->summary = command->summary;
    return true;
}

static int run_command(int argc, char **argv, bool record, GError **error)
{
    g_auto(Command) command = { .record = record, .run = RUN_OPTIONS_INIT, .selection = SELECTION_INIT };
    SessionOptions options = { .snapshot = IMAGE_DEFAULT_SNAPSHOT };
    g_autoptr(SummaryFile) summary = NULL;
    g_autoptr(Session) session = NULL;
    SessionResult result;

    if (!parse(&command, &argc, &argv, error) || !apply(&command, &options, argv + 1, error))
        return -1;
    if (command.summary && !(summary = summary_file_new(command.summary, error)))
        return -1;
    session = session_new(&options);
    if (!session_run(session, &result, error) || !print(session, &options, &result, &command, summary, error))
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
