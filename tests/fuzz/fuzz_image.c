/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libFuzzer's entry: what comes with an image. The input is IMAGE.json, once as it is and once as a snapshot's members
 * (so that its names are found soon), and the image's header. qemu-img isn't asked.
 */
#include <glib/gstdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/base/printable.h"
#include "../../src/vm/image.h"

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

/* Without waiting for the disk. */
static void put(const char *path, const char *text, size_t bytes)
{
    if (!g_file_set_contents_full(path, text, (gssize)bytes, G_FILE_SET_CONTENTS_NONE, 0600, NULL))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char *image, *metadata;
    static RunLoop *loop;
    g_autofree char *members = NULL;

    if (!image) {
        g_autofree char *folder = g_dir_make_tmp("fuzz_image.XXXXXX", NULL);

        image = g_build_filename(folder, "image", NULL);
        metadata = g_strconcat(image, ".json", NULL);
        loop = run_loop_new(false);
    }
    put(metadata, (const char *)data, size);
    check(image);
    members = g_strdup_printf("{\"snapshots\": {\"snap\": {\"machine\": \"pc\", \"cpu\": \"max\", \"ram_mb\": 1, "
                              "\"vcpus\": 1, %.*s}}}",
                              (int)size, (const char *)data);
    put(metadata, members, strlen(members));
    check(image);
    put(image, (const char *)data, size);
    json_node_unref(image_query(image, "/bin/false", loop, NULL) ?: json_node_new(JSON_NODE_NULL));
    return 0;
}
