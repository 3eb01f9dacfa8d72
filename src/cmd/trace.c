/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_tracer [options] GUEST_IMAGE SNAPSHOT QEMU: the command line for scripts; what it prints is an interface. */
#include "../run/session.h"
#include "../vm/image.h"
#include "cmd.h"
#include "run_options.h"

/* The options, as GOption leaves them. */
typedef struct {
    char *on_guest, *on_host, *tool, *fifo, *output, *fields;
    gboolean dont_trace, dont_use_qemu, user_only, speaks, trace_info, display, keep_qemu;
    int ram_mb;
    RunOptions run;
} Command;

static void command_clear(Command *command)
{
    g_free(command->on_guest);
    g_free(command->on_host);
    g_free(command->tool);
    g_free(command->fifo);
    g_free(command->output);
    g_free(command->fields);
    run_options_clear(&command->run);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Command, command_clear)

/* The table of all options. To be freed. */
static GOptionEntry *make_entries(Command *command)
{
    const GOptionEntry own[] = {
        { "workload_path_on_guest", 0, 0, G_OPTION_ARG_FILENAME, &command->on_guest,
          "The workload is this program in the guest", "PATH" },
        { "workload_path_on_host", 0, 0, G_OPTION_ARG_FILENAME, &command->on_host,
          "The workload is this program (ELF or script) of this machine", "PATH" },
        { "analysis_tool_path", 0, 0, G_OPTION_ARG_FILENAME, &command->tool,
          "Start this program and let it read the trace", "PATH" },
        { "trace_fifo_path", 0, 0, G_OPTION_ARG_FILENAME, &command->fifo, "Write the trace into this FIFO", "PATH" },
        { "output", 0, 0, G_OPTION_ARG_FILENAME, &command->output, "Write a compressed trace file", "FILE" },
        { "fields", 0, 0, G_OPTION_ARG_STRING, &command->fields, RUN_OPTIONS_FIELDS_HELP, "LIST" },
        { "dont_trace", 0, 0, G_OPTION_ARG_NONE, &command->dont_trace, "Run the same without tracing, for comparison",
          NULL },
        { "dont_use_qemu", 0, 0, G_OPTION_ARG_NONE, &command->dont_use_qemu,
          "Run the workload on this machine itself, without tracing, for comparison; GUEST_IMAGE, SNAPSHOT and QEMU "
          "are ignored",
          NULL },
        { "trace_only_CPL3_code_GMBE", 0, 0, G_OPTION_ARG_NONE, &command->user_only,
          "Trace user code only, not the kernel", NULL },
        { "dont_add_communications_with_host_to_workload", 0, 0, G_OPTION_ARG_NONE, &command->speaks,
          "The workload says itself when to start and to stop tracing", NULL },
        { "print_trace_info", 0, 0, G_OPTION_ARG_NONE, &command->trace_info, "Print how many accesses there were",
          NULL },
        { "guest_RAM_in_MBs", 0, 0, G_OPTION_ARG_INT, &command->ram_mb,
          "The guest's RAM, which must be the snapshot's (default: what it was made with, else 2560)", "MB" },
        { "dont_use_nographic", 0, 0, G_OPTION_ARG_NONE, &command->display,
          "Start QEMU with its usual display, and its monitor on the terminal", NULL },
        { "dont_exit_qemu_when_done", 0, 0, G_OPTION_ARG_NONE, &command->keep_qemu,
          "Afterwards, let the guest go on untraced; the terminal is QEMU's monitor until you type 'quit'", NULL },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };

    return run_options_entries(&command->run, own);
}

/* What --help ends with. To be freed. */
static char *describe(void)
{
    g_autofree char *verbs = cmd_describe_all_verbs();

    return g_strconcat(
        "\nVerbs (memory_tracer VERB ..., instead of the above):\n", verbs,
        "memory_tracer VERB --help tells more about a verb.\n\n"
        "In options' names, dashes and underscores are the same: --dont-trace.\n"
        "QEMU is a qemu-system-x86_64 (10.0 or newer), or a folder that has one. Exit status: 0 done, 1 the run "
        "failed,\n2 wrong usage, 130 interrupted. The manual: man memory_tracer.",
        NULL);
}

static bool parse(Command *command, int *argc, char ***argv, GError **error)
{
    g_autofree GOptionEntry *entries = make_entries(command);
    g_autofree char *description = describe();

    return options_parse(
        argc, argv, entries, "GUEST_IMAGE SNAPSHOT QEMU",
        "Runs a workload in a QEMU guest and delivers every memory access of the guest, kernel and user.", description,
        false, error);
}

/* Whether the options and arguments fit together. */
static bool check(const Command *command, int argc, GError **error)
{
    g_autofree char *verbs = cmd_verb_names();

    if (argc != 4 && !(command->dont_use_qemu && argc == 1))
        return mt_fail_usage(error, "GUEST_IMAGE, SNAPSHOT and QEMU are needed, or a verb: %s (see --help)", verbs);
    if (!command->on_guest == !command->on_host)
        return mt_fail_usage(error, "exactly one of --workload_path_on_guest and --workload_path_on_host is needed");
    if (!!command->tool + !!command->fifo + !!command->output + !!command->dont_trace + !!command->dont_use_qemu != 1)
        return mt_fail_usage(
            error, "exactly one of --analysis_tool_path, --trace_fifo_path, --output, --dont_trace and --dont_use_qemu "
                   "is needed");
    if (command->fields && !command->output)
        return mt_fail_usage(error, "--fields is for a trace file (--output)");
    return command->ram_mb >= 0 || mt_fail_usage(error, "--guest_RAM_in_MBs can't be negative");
}

static bool set_destination(const Command *command, DestinationOptions *destination, GError **error)
{
    destination->kind = command->tool     ? DESTINATION_TOOL
                        : command->fifo   ? DESTINATION_FIFO
                        : command->output ? DESTINATION_TRACE
                                          : DESTINATION_NONE;
    destination->path = command->tool ? command->tool : command->fifo ? command->fifo : command->output;
    return !command->output || (options_check_trace_output(command->output, error) &&
                                run_options_parse_fields(command->fields, &destination->fields, error));
}

int cmd_trace(int argc, char **argv, GError **error)
{
    g_auto(Command) command = { .run = RUN_OPTIONS_INIT };

    if (!parse(&command, &argc, &argv, error) || !check(&command, argc, error))
        return -1;

    const char *workload[] = { command.on_host ? command.on_host : command.on_guest, NULL };
    SessionOptions options = {
        .native = command.dont_use_qemu,
        .image = argv[1],
        .snapshot = argv[1] ? argv[2] : NULL,
        .qemu = argv[1] ? argv[3] : NULL,
        .ram_mb = (unsigned)command.ram_mb,
        .workload = { .program = workload[0],
                      .argv = workload,
                      .is_on_host = command.on_host,
                      .speaks = command.speaks },
        .capture = { .user_only = command.user_only },
        .display = command.display,
        .keep_qemu = command.keep_qemu,
    };

    if (!set_destination(&command, &options.destination, error) || !run_options_apply(&command.run, &options, error))
        return -1;
    return cmd_trace_and_print(&options, command.trace_info, error);
}
