/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_tracer [options] GUEST_IMAGE SNAPSHOT QEMU: the command line for scripts; what it prints is an interface. */
#include "../run/session.h"
#include "../vm/image.h"
#include "cmd.h"
#include "run_options.h"

#define DESCRIPTION                                                                                                    \
    "Verbs:\n"                                                                                                         \
    "  memory_tracer run COMMAND...     trace a program of this machine in the default guest\n"                        \
    "  memory_tracer record -o FILE COMMAND...   the same, into a trace file\n"                                        \
    "  memory_tracer info|dump|check|recover|cut|merge|convert   work with trace files\n"                              \
    "  memory_tracer image build|prepare|info    make and describe guests\n"                                           \
    "  memory_tracer ctl SOCKET ...     switch the tracing of a running guest by hand\n"                               \
    "  memory_tracer VERB --help        tells more about a verb\n\n"                                                   \
    "In options' names, dashes and underscores are the same: --dont-trace.\n"                                          \
    "QEMU is a qemu-system-x86_64 (10.0 or newer), or a folder that has one. Exit status: 0 done, 1 the run failed,\n" \
    "2 wrong usage, 130 interrupted. The manual: man memory_tracer."

int cmd_trace(int argc, char **argv, GError **error)
{
    g_autofree char *on_guest = NULL, *on_host = NULL, *tool = NULL, *fifo = NULL, *output = NULL;
    g_autofree char *fields = NULL;
    gboolean dont_trace = FALSE, dont_use_qemu = FALSE, user_only = FALSE, speaks = FALSE, trace_info = FALSE;
    gboolean display = FALSE, keep_qemu = FALSE;
    int ram_mb = 0;
    const GOptionEntry own[] = {
        { "workload_path_on_guest", 0, 0, G_OPTION_ARG_FILENAME, &on_guest, "The workload is this program in the guest",
          "PATH" },
        { "workload_path_on_host", 0, 0, G_OPTION_ARG_FILENAME, &on_host,
          "The workload is this program (ELF or script) of this machine", "PATH" },
        { "analysis_tool_path", 0, 0, G_OPTION_ARG_FILENAME, &tool, "Start this program and let it read the trace",
          "PATH" },
        { "trace_fifo_path", 0, 0, G_OPTION_ARG_FILENAME, &fifo, "Write the trace into this FIFO", "PATH" },
        { "output", 0, 0, G_OPTION_ARG_FILENAME, &output, "Write a compressed trace file", "FILE" },
        { "fields", 0, 0, G_OPTION_ARG_STRING, &fields, RUN_OPTIONS_FIELDS_HELP, "LIST" },
        { "dont_trace", 0, 0, G_OPTION_ARG_NONE, &dont_trace, "Run the same without tracing, for comparison", NULL },
        { "dont_use_qemu", 0, 0, G_OPTION_ARG_NONE, &dont_use_qemu,
          "Run the workload on this machine itself, without tracing, for comparison; GUEST_IMAGE, SNAPSHOT and QEMU "
          "are "
          "ignored",
          NULL },
        { "trace_only_CPL3_code_GMBE", 0, 0, G_OPTION_ARG_NONE, &user_only, "Trace user code only, not the kernel",
          NULL },
        { "dont_add_communications_with_host_to_workload", 0, 0, G_OPTION_ARG_NONE, &speaks,
          "The workload says itself when to start and to stop tracing", NULL },
        { "print_trace_info", 0, 0, G_OPTION_ARG_NONE, &trace_info, "Print how many accesses there were", NULL },
        { "guest_RAM_in_MBs", 0, 0, G_OPTION_ARG_INT, &ram_mb,
          "The guest's RAM, which must be the snapshot's (default: what it was made with, else 2560)", "MB" },
        { "dont_use_nographic", 0, 0, G_OPTION_ARG_NONE, &display,
          "Start QEMU with its usual display, and its monitor on the terminal", NULL },
        { "dont_exit_qemu_when_done", 0, 0, G_OPTION_ARG_NONE, &keep_qemu,
          "Afterwards, let the guest go on untraced; the terminal is QEMU's monitor until you type 'quit'", NULL },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    g_auto(RunOptions) run = RUN_OPTIONS_INIT;
    g_autofree GOptionEntry *entries = run_options_entries(&run, own);

    if (!options_parse(
            &argc, &argv, entries, "GUEST_IMAGE SNAPSHOT QEMU",
            "Runs a workload in a QEMU guest and delivers every memory access of the guest, kernel and user.",
            DESCRIPTION, false, error))
        return -1;
    if (argc != 4 && !(dont_use_qemu && argc == 1)) {
        mt_fail_usage(error, "GUEST_IMAGE, SNAPSHOT and QEMU are needed, or a verb: " CMD_VERBS " (see --help)");
        return -1;
    }
    if (!on_guest == !on_host) {
        mt_fail_usage(error, "exactly one of --workload_path_on_guest and --workload_path_on_host is needed");
        return -1;
    }
    if (!!tool + !!fifo + !!output + !!dont_trace + !!dont_use_qemu != 1) {
        mt_fail_usage(
            error, "exactly one of --analysis_tool_path, --trace_fifo_path, --output, --dont_trace and --dont_use_qemu "
                   "is needed");
        return -1;
    }
    if (fields && !output) {
        mt_fail_usage(error, "--fields is for a trace file (--output)");
        return -1;
    }
    if (ram_mb < 0) {
        mt_fail_usage(error, "--guest_RAM_in_MBs can't be negative");
        return -1;
    }

    const char *workload[] = { on_host ? on_host : on_guest, NULL };
    SessionOptions options = {
        .native = dont_use_qemu,
        .image = argv[1],
        .snapshot = argv[1] ? argv[2] : NULL,
        .qemu = argv[1] ? argv[3] : NULL,
        .ram_mb = (unsigned)ram_mb,
        .workload = { .program = workload[0], .argv = workload, .is_on_host = on_host, .speaks = speaks },
        .capture = { .user_only = user_only },
        .destination = { .kind = tool     ? DESTINATION_TOOL
                                 : fifo   ? DESTINATION_FIFO
                                 : output ? DESTINATION_TRACE
                                          : DESTINATION_NONE,
                         .path = tool   ? tool
                                 : fifo ? fifo
                                        : output },
        .display = display,
        .keep_qemu = keep_qemu,
    };
    if (output && !options_check_trace_output(output, error))
        return -1;
    if (output && !run_options_parse_fields(fields, &options.destination.fields, error))
        return -1;
    return run_options_apply(&run, &options, error) ? cmd_trace_and_print(&options, trace_info, error) : -1;
}
