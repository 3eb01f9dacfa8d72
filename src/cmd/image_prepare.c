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

/* The verb's options, as GOption leaves them. */
typedef struct {
    char *user, *workload_user, *password, *qemu;
    gboolean interactive, icount, verbose;
    int ram_mb, vcpus;
} Command;

static void command_clear(Command *command)
{
    g_free(command->user);
    g_free(command->workload_user);
    g_free(command->password);
    g_free(command->qemu);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Command, command_clear)

static bool parse(Command *command, int *argc, char ***argv, GError **error)
{
    const GOptionEntry entries[] = {
        { "ram", 0, 0, G_OPTION_ARG_INT, &command->ram_mb, "The guest's RAM (default: 2560)", "MB" },
        { "vcpus", 0, 0, G_OPTION_ARG_INT, &command->vcpus, "The guest's virtual CPUs (default: 1)", "N" },
        { "user", 0, 0, G_OPTION_ARG_STRING, &command->user,
          "Who logs in at the serial console: root (default), or somebody who may use sudo", "USER" },
        { "console-password", 0, 0, G_OPTION_ARG_STRING, &command->password, "Their password", "PASSWORD" },
        { "interactive", 0, 0, G_OPTION_ARG_NONE, &command->interactive,
          "You log in at the console yourself, and type the command that you are told", NULL },
        { "workload-user", 0, 0, G_OPTION_ARG_STRING, &command->workload_user, "Who workloads run as (default: USER)",
          "USER" },
        { "icount", 0, 0, G_OPTION_ARG_NONE, &command->icount, "For runs with --icount", NULL },
        { "qemu", 0, 0, G_OPTION_ARG_FILENAME, &command->qemu, "QEMU, or a folder that has one (default: from PATH)",
          "PATH" },
        { "verbose", 'v', 0, G_OPTION_ARG_NONE, &command->verbose, "Tell on stderr what is being done", NULL },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    g_autofree char **words = g_memdup2(*argv, (gsize)(*argc + 1) * sizeof **argv);
    bool parsed = options_parse(
        argc, argv, entries, "IMAGE SNAPSHOT",
        "Boots a qcow2 image that somebody has installed (x86-64 Linux with its own boot loader), gets the agent into "
        "it over its serial console (ttyS0), waits until it is quiet, and saves the snapshot. The image is replaced "
        "when all has gone well.",
        NULL, false, error);

    for (char **word = words; command->password && *word; word++)
        if (g_str_has_suffix(*word, command->password))
            options_wipe(*word + strlen(*word) - strlen(command->password));
    return parsed;
}

static bool check(const Command *command, int argc, char **argv, GError **error)
{
    if (argc != 3)
        return mt_fail_usage(error, "image prepare: IMAGE and SNAPSHOT are needed (see --help)");
    if (!cmd_check_machine(command->ram_mb, command->vcpus, error))
        return false;
    if (!is_plain(argv[2]))
        return mt_fail_usage(error, "a snapshot's name must be of letters, digits, '_', '-' and '.', but '%s' isn't.",
                             argv[2]);
    return !command->interactive || !command->password ||
           mt_fail_usage(error, "--interactive and --console-password can't both be used");
}

int cmd_image_prepare(int argc, char **argv, GError **error)
{
    g_auto(Command) command = { .ram_mb = IMAGE_DEFAULT_RAM_MB, .vcpus = 1 };
    g_autofree char *snapshot = NULL;
    const char *user, *suffix;

    if (!parse(&command, &argc, &argv, error) || !check(&command, argc, argv, error))
        return -1;
    user = command.user ? command.user : IMAGE_DEFAULT_USER;
    suffix = command.icount && !g_str_has_suffix(argv[2], IMAGE_ICOUNT_SUFFIX) ? IMAGE_ICOUNT_SUFFIX : "";
    snapshot = g_strconcat(argv[2], suffix, NULL);

    const ImagePrepareOptions options = { .image = argv[1],
                                          .snapshot = snapshot,
                                          .qemu = command.qemu ? command.qemu : DEFAULT_QEMU,
                                          .ram_mb = (unsigned)command.ram_mb,
                                          .vcpus = (unsigned)command.vcpus,
                                          .user = user,
                                          .password = command.password,
                                          .workload_user = command.workload_user ? command.workload_user : user,
                                          .interactive = command.interactive,
                                          .icount = command.icount,
                                          .verbose = command.verbose };

    if (!image_prepare(&options, error))
        return -1;
    printf("%s has the snapshot %s\n", argv[1], snapshot);
    return 0;
}
