/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_tracer image prepare: makes a snapshot of an image that somebody has installed. */
#include <stdio.h>
#include <string.h>

#include "../image/prepare.h"
#include "../vm/image.h"
#include "cmd.h"

/* A snapshot's name is typed into QEMU's monitor. */
static bool is_plain(const char *name)
{
    return *name && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") == strlen(name) &&
           *name != '-';
}

int cmd_image_prepare(int argc, char **argv, GError **error)
{
    g_autofree char *user = NULL, *workload_user = NULL, *password = NULL, *qemu = NULL;
    gboolean interactive = FALSE, icount = FALSE, verbose = FALSE;
    int ram_mb = IMAGE_DEFAULT_RAM_MB, vcpus = 1;
    const GOptionEntry entries[] = {
        { "ram", 0, 0, G_OPTION_ARG_INT, &ram_mb, "The guest's RAM (default: 2560)", "MB" },
        { "vcpus", 0, 0, G_OPTION_ARG_INT, &vcpus, "The guest's virtual CPUs (default: 1)", "N" },
        { "user", 0, 0, G_OPTION_ARG_STRING, &user,
          "Who logs in at the serial console: root (default), or somebody who may use sudo", "USER" },
        { "console-password", 0, 0, G_OPTION_ARG_STRING, &password, "Their password", "PASSWORD" },
        { "interactive", 0, 0, G_OPTION_ARG_NONE, &interactive,
          "You log in at the console yourself, and type the command that you are told", NULL },
        { "workload-user", 0, 0, G_OPTION_ARG_STRING, &workload_user, "Who workloads run as (default: USER)", "USER" },
        { "icount", 0, 0, G_OPTION_ARG_NONE, &icount, "For runs with --icount", NULL },
        { "qemu", 0, 0, G_OPTION_ARG_FILENAME, &qemu, "QEMU, or a folder that has one (default: from PATH)", "PATH" },
        { "verbose", 'v', 0, G_OPTION_ARG_NONE, &verbose, "Tell on stderr what is being done", NULL },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    g_autofree char *snapshot = NULL;
    g_autofree char **words = g_memdup2(argv, (gsize)(argc + 1) * sizeof *argv);
    bool parsed;

    parsed = options_parse(
        &argc, &argv, entries, "IMAGE SNAPSHOT",
        "Boots a qcow2 image that somebody has installed (x86-64 Linux with its own boot loader), gets the agent into "
        "it over its serial console (ttyS0), waits until it is quiet, and saves the snapshot. The image is replaced "
        "when all has gone well.",
        NULL, false, error);
    for (char **word = words; password && *word; word++)
        if (g_str_has_suffix(*word, password))
            options_wipe(*word + strlen(*word) - strlen(password));
    if (!parsed)
        return -1;
    if (argc != 3) {
        mt_fail_usage(error, "image prepare: IMAGE and SNAPSHOT are needed (see --help)");
        return -1;
    }
    if (!cmd_check_machine(ram_mb, vcpus, error))
        return -1;
    if (!is_plain(argv[2])) {
        mt_fail_usage(error, "a snapshot's name must be of letters, digits, '_', '-' and '.', but '%s' isn't.",
                      argv[2]);
        return -1;
    }
    if (interactive && password) {
        mt_fail_usage(error, "--interactive and --console-password can't both be used");
        return -1;
    }
    snapshot = g_strconcat(argv[2],
                           icount && !g_str_has_suffix(argv[2], IMAGE_ICOUNT_SUFFIX) ? IMAGE_ICOUNT_SUFFIX : "", NULL);
    const ImagePrepareOptions options = { .image = argv[1],
                                          .snapshot = snapshot,
                                          .qemu = qemu ? qemu : DEFAULT_QEMU,
                                          .ram_mb = (unsigned)ram_mb,
                                          .vcpus = (unsigned)vcpus,
                                          .user = user ? user : "root",
                                          .password = password,
                                          .workload_user = workload_user ? workload_user
                                                           : user        ? user
                                                                         : "root",
                                          .interactive = interactive,
                                          .icount = icount,
                                          .verbose = verbose };
    if (!image_prepare(&options, error))
        return -1;
    printf("%s has the snapshot %s\n", argv[1], snapshot);
    return 0;
}
