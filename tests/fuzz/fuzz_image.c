/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libFuzzer's entry: what comes with an image. The input is IMAGE.json, once as it is and once as a snapshot's members
 * (so that its names are found soon), and the image's header. qemu-img isn't asked.
 */
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/run/image.h"
#include "../../src/run/printable.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What goes to QEMU's command line has no other comma than those that are expected. */
static void check(const char *image)
{
    g_autoptr(ImageMachine) machine = image_machine_load(image, "snap", NULL);

    if (!machine)
        return;
    if (strchr(machine->machine, ',') || strchr(machine->cpu, '/') || strchr(machine->icount, '/') ||
        !text_is_printable(machine->kernel, 256) || !machine->ram_mb || !machine->vcpus || machine->vcpus > 256)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char *image, *metadata;
    g_autofree char *members = NULL;

    if (!image) {
        g_autofree char *folder = g_dir_make_tmp("fuzz_image.XXXXXX", NULL);

        image = g_build_filename(folder, "image", NULL);
        metadata = g_strconcat(image, ".json", NULL);
    }
    g_file_set_contents(metadata, (const char *)data, (gssize)size, NULL);
    check(image);
    members = g_strdup_printf("{\"snapshots\": {\"snap\": {\"machine\": \"pc\", \"cpu\": \"max\", \"ram_mb\": 1, "
                              "\"vcpus\": 1, %.*s}}}",
                              (int)size, (const char *)data);
    g_file_set_contents(metadata, members, -1, NULL);
    check(image);
    g_file_set_contents(image, (const char *)data, (gssize)size, NULL);
    json_node_unref(image_query(image, "/bin/false", NULL) ?: json_node_new(JSON_NODE_NULL));
    return 0;
}
