/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_tracer image: dispatches, and image build makes the default guest. */
#include <stdio.h>
#include <string.h>

#include "../base/paths.h"
#include "../base/printable.h"
#include "../image/build.h"
#include "../vm/image.h"
#include "cmd.h"

static int build(int argc, char **argv, GError **error)
{
    g_autofree char *output = NULL, *qemu = NULL, *suite = NULL, *packages = NULL;
    gboolean if_needed = FALSE, verbose = FALSE;
    int ram_mb = IMAGE_DEFAULT_RAM_MB, vcpus = 1, disk_mb = IMAGE_DEFAULT_DISK_MB;
    const GOptionEntry entries[] = {
        { "output", 'o', 0, G_OPTION_ARG_FILENAME, &output, "The image to make (default: where 'run' looks for it)",
          "IMAGE" },
        { "ram", 0, 0, G_OPTION_ARG_INT, &ram_mb, "The guest's RAM (default: 2560)", "MB" },
        { "vcpus", 0, 0, G_OPTION_ARG_INT, &vcpus, "The guest's virtual CPUs (default: 1)", "N" },
        { "disk", 0, 0, G_OPTION_ARG_INT, &disk_mb, "The guest's disk (default: 4096)", "MB" },
        { "packages", 0, 0, G_OPTION_ARG_STRING, &packages, "Debian packages to install in the guest",
          "NAME[,NAME...]" },
        { "suite", 0, 0, G_OPTION_ARG_STRING, &suite, "Debian suite (default: this machine's, or the stable one)",
          "NAME" },
        { "qemu", 0, 0, G_OPTION_ARG_FILENAME, &qemu, "QEMU, or a folder that has one (default: from PATH)", "PATH" },
        { "if-needed", 0, 0, G_OPTION_ARG_NONE, &if_needed, "Keep an image that is up to date", NULL },
        { "verbose", 'v', 0, G_OPTION_ARG_NONE, &verbose, "Print what the bootstrap prints", NULL },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    bool built;

    if (!options_parse(
            &argc, &argv, entries, NULL,
            "Makes the default guest: a minimal Debian from packages, its kernel and our agent in one qcow2, "
            "with the snapshot '" IMAGE_DEFAULT_SNAPSHOT "'.",
            NULL, false, error))
        return -1;
    if (argc != 1) {
        mt_fail_usage(error, "image build: unexpected argument '%s'", argv[1]);
        return -1;
    }
    if (!cmd_check_machine(ram_mb, vcpus, error))
        return -1;
    if (disk_mb < 128 || disk_mb > 1024 * 1024) {
        mt_fail_usage(error, "--disk must be in range [128, 1048576], but %d isn't.", disk_mb);
        return -1;
    }
    if (packages && !g_regex_match_simple(IMAGE_PACKAGES_PATTERN, packages, 0, 0)) {
        g_autofree char *printable = text_make_printable(packages);

        mt_fail_usage(error, "--packages must be names of Debian packages, separated by commas, but '%s' isn't.",
                      printable);
        return -1;
    }
    if (!output)
        output = paths_default_image();
    ImageBuildOptions options = { .output = output,
                                  .qemu = qemu ? qemu : DEFAULT_QEMU,
                                  .suite = suite,
                                  .packages = packages,
                                  .disk_mb = (unsigned)disk_mb,
                                  .ram_mb = (unsigned)ram_mb,
                                  .vcpus = (unsigned)vcpus,
                                  .if_needed = if_needed,
                                  .verbose = verbose };
    if (!image_build(&options, &built, error))
        return -1;
    printf("%s %s\n", output, built ? "is ready" : "is up to date");
    return 0;
}

bool cmd_check_machine(int ram_mb, int vcpus, GError **error)
{
    if (ram_mb < 256 || ram_mb > 1024 * 1024)
        return mt_fail_usage(error, "--ram must be in range [256, 1048576], but %d isn't.", ram_mb);
    if (vcpus < 1 || vcpus > RING_MAX_VCPUS)
        return mt_fail_usage(error, "--vcpus must be in range [1, %d], but %d isn't.", RING_MAX_VCPUS, vcpus);
    return true;
}

int cmd_image(int argc, char **argv, GError **error)
{
    static const CmdVerb verbs[] = {
        { "build", build, "make the default guest" },
        { "prepare", cmd_image_prepare, "make a snapshot of a guest that you have installed yourself" },
        { "info", cmd_image_info, "list an image's snapshots" },
    };

    for (guint i = 0; argc > 1 && i < G_N_ELEMENTS(verbs); i++)
        if (!strcmp(argv[1], verbs[i].name)) {
            g_autofree char *name = g_strdup_printf("memory_tracer image %s", verbs[i].name);

            g_set_prgname(name);
            paths_add_system_folders();
            return verbs[i].run(argc - 1, argv + 1, error);
        }
    if (cmd_print_verbs(argc, argv, verbs, G_N_ELEMENTS(verbs)))
        return 0;
    if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
        g_autofree char *text = cmd_describe_verbs(verbs, G_N_ELEMENTS(verbs), "  %-10s %s\n");

        printf("usage: memory_tracer image VERB ...\n%sSee memory_tracer image VERB --help.\n", text);
        return 0;
    }
    mt_fail_usage(error, "image: the verb must be build, prepare or info (see memory_tracer image --help)");
    return -1;
}
