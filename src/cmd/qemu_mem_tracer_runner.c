/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qemu_mem_tracer_runner: the command line of an earlier tool, for scripts that use it. It creates a FIFO in the
 * current folder, waits until somebody reads it, and traces a workload that speaks the workload protocol.
 */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "run_options.h"

#define FIFO_TRIES 10

/* trace_fifo_<unix time>; should there be one by that name, that of the next second. */
static char *create_fifo(GError **error)
{
    g_autofree char *folder = g_get_current_dir();
    gint64 now_s = g_get_real_time() / G_USEC_PER_SEC;

    for (int try = 0; try < FIFO_TRIES; try++) {
        g_autofree char *path = g_strdup_printf("%s/trace_fifo_%" G_GINT64_FORMAT, folder, now_s + try);

        if (!mkfifo(path, 0666))
            return g_steal_pointer(&path);
        if (errno != EEXIST)
            break;
    }
    mt_fail(error, "can't create a FIFO in %s: %s", folder, g_strerror(errno));
    return NULL;
}

static int run(int argc, char **argv, GError **error)
{
    g_autofree char *folder = NULL, *fifo = NULL;
    gboolean user_only = FALSE, keep_qemu = FALSE, verbose = FALSE;
    int log_block_len = 0, log_tracing_ratio = 0, status;
    const GOptionEntry entries[] = {
        { "workload_dir_path", 0, 0, G_OPTION_ARG_FILENAME, &folder,
          "Copy this folder into the home of the workload's user in the guest, as qemu_mem_tracer_workload", "DIR" },
        { "trace_only_user_code_GMBE", 0, 0, G_OPTION_ARG_NONE, &user_only, "Trace user code only, not the kernel",
          NULL },
        { "log_of_GMBE_block_len", 0, 0, G_OPTION_ARG_INT, &log_block_len,
          "Sampling: trace blocks of 2^N consecutive accesses (default: 0)", "N" },
        { "log_of_GMBE_tracing_ratio", 0, 0, G_OPTION_ARG_INT, &log_tracing_ratio,
          "Sampling: trace one block of 2^N (default: 0, all)", "N" },
        { "dont_exit_qemu_when_done", 0, 0, G_OPTION_ARG_NONE, &keep_qemu,
          "Afterwards, let the guest go on untraced; the terminal is QEMU's monitor until you type 'quit'", NULL },
        { "verbose", 'v', 0, G_OPTION_ARG_NONE, &verbose, "Tell on stderr what is being done", NULL },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };

    if (!options_parse(
            &argc, &argv, entries, "GUEST_IMAGE SNAPSHOT WORKLOAD_RUNNER HOST_PASSWORD QEMU",
            "Creates the FIFO trace_fifo_<unix time> in the current folder, prints its path, waits for a reader, and "
            "traces "
            "WORKLOAD_RUNNER (a script or program of this machine that prints \"Ready to trace. Press enter to "
            "continue\" and \"Stop tracing\") in the guest.",
            "HOST_PASSWORD is ignored: none is needed any more. New scripts should use memory_tracer.", false, error))
        return -1;
    if (argc > 4)
        options_wipe(argv[4]);
    if (argc != 6) {
        mt_fail_usage(error, "GUEST_IMAGE, SNAPSHOT, WORKLOAD_RUNNER, HOST_PASSWORD and QEMU are needed (see --help)");
        return -1;
    }

    const char *workload[] = { argv[3], NULL };
    RunOptions run = {
        .log_block_len = log_block_len, .log_tracing_ratio = log_tracing_ratio, .folder = folder, .verbose = verbose
    }; /* no time-out: the reader may be started by hand */
    SessionOptions options = {
        .image = argv[1],
        .snapshot = argv[2],
        .qemu = argv[5],
        .workload = { .program = workload[0], .argv = workload, .is_on_host = true, .speaks = true },
        .capture = { .user_only = user_only },
        .destination = { .kind = DESTINATION_FIFO },
        .keep_qemu = keep_qemu,
    };
    if (!run_options_apply(&run, &options, error) || !(fifo = create_fifo(error)))
        return -1;
    options.destination.path = fifo;
    fprintf(stderr, "memory_tracer: no host password is needed any more: the one given is ignored\n");
    puts(fifo);
    fflush(stdout);
    status = cmd_trace_and_print(&options, false, error);
    unlink(fifo);
    return status;
}

int main(int argc, char **argv)
{
    GError *error = NULL;
    int status;

    cmd_set_up_process();
    setlocale(LC_ALL, "");
    status = run(argc, argv, &error);
    return cmd_exit_status(status, error);
}
