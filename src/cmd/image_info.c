/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_tracer image info: which snapshots an image has, and of what machines. */
#include <json-glib/json-glib.h>
#include <stdio.h>

#include "../base/paths.h"
#include "../base/printable.h"
#include "../image/own_images.h"
#include "../protocol/frames.h"
#include "../vm/image.h"
#include "cmd.h"

static void print_snapshot(JsonObject *snapshot, const char *name, const ImageMachine *machine)
{
    g_autoptr(GDateTime) date =
        g_date_time_new_from_unix_local(json_object_get_int_member_with_default(snapshot, "date-sec", 0));
    g_autofree char *when = g_date_time_format(date, "%Y-%m-%d %H:%M:%S"), *printable = text_make_printable(name);

    printf("\nsnapshot: %s\n  taken: %s\n", printable, when);
    if (!machine->known) {
        printf("  not made by memory_tracer: nothing is known of its machine\n");
        return;
    }
    printf("  RAM: %u MB\n  vCPUs: %u\n  machine: %s, CPU %s\n", machine->ram_mb, machine->vcpus, machine->machine,
           machine->cpu);
    printf("  kernel: %s\n  QEMU: %s\n", machine->kernel, machine->qemu_version);
    printf("  agent: protocol %u%s\n", machine->agent_protocol,
           machine->agent_protocol >= MT_PROTOCOL_BASE && !g_strcmp0(machine->devices, IMAGE_DEVICES)
               ? ""
               : " (not this memory_tracer's: prepare it again)");
    if (*machine->packages)
        printf("  packages: %s\n", machine->packages);
    printf("  workloads run as: %s\n", *machine->user ? machine->user : "root");
    printf("  guest time: %s\n", *machine->icount ? "by instructions (for --icount)" : "real time");
}

static JsonArray *list_packages(const char *packages)
{
    g_auto(GStrv) names = g_strsplit(packages, ",", -1);
    JsonArray *list = json_array_new();

    for (char **name = names; *name; name++)
        json_array_add_string_element(list, *name);
    return list;
}

static JsonObject *describe_snapshot(JsonObject *snapshot, const char *name, const ImageMachine *machine)
{
    JsonObject *object = json_object_new();

    json_object_set_string_member(object, "name", name);
    json_object_set_int_member(object, "date", json_object_get_int_member_with_default(snapshot, "date-sec", 0));
    if (machine->known) {
        json_object_set_int_member(object, "ram_mb", machine->ram_mb);
        json_object_set_int_member(object, "vcpus", machine->vcpus);
        json_object_set_string_member(object, "machine", machine->machine);
        json_object_set_string_member(object, "cpu", machine->cpu);
        json_object_set_string_member(object, "kernel", machine->kernel);
        json_object_set_string_member(object, "qemu_version", machine->qemu_version);
        json_object_set_int_member(object, "agent_protocol", machine->agent_protocol);
        json_object_set_array_member(object, "packages", list_packages(machine->packages));
        json_object_set_string_member(object, "user", machine->user);
        json_object_set_string_member(object, "icount", machine->icount);
    }
    return object;
}

int cmd_image_info(int argc, char **argv, GError **error)
{
    g_autofree char *qemu_img = NULL;
    gboolean json = FALSE;
    const GOptionEntry entries[] = {
        { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print it as JSON", NULL },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    g_autoptr(JsonNode) root = json_node_new(JSON_NODE_OBJECT);
    g_autoptr(JsonNode) information = NULL;
    g_autoptr(RunLoop) loop = NULL;
    JsonObject *all = json_object_new();
    JsonArray *snapshots, *descriptions;
    JsonObject *object;
    const char *format;
    gint64 virtual_bytes, bytes;

    json_node_take_object(root, all);
    if (!options_parse(&argc, &argv, entries, "IMAGE",
                       "Lists an image's snapshots: RAM, vCPUs, kernel, QEMU, agent version and packages of each; "
                       "and says whether the image was made here.",
                       NULL, false, error))
        return -1;
    if (argc != 2) {
        mt_fail_usage(error, "image info: an IMAGE is needed (see --help)");
        return -1;
    }
    qemu_img = paths_find_qemu_img(DEFAULT_QEMU, error);
    loop = run_loop_new(false);
    information = qemu_img ? image_query(argv[1], qemu_img, loop, error) : NULL;
    g_clear_pointer(&loop, run_loop_free);
    if (!information)
        return -1;
    object = json_node_get_object(information);
    snapshots = json_object_has_member(object, "snapshots") ? json_object_get_array_member(object, "snapshots") : NULL;
    format = json_object_get_string_member_with_default(object, "format", "");
    virtual_bytes = json_object_get_int_member_with_default(object, "virtual-size", 0);
    bytes = json_object_get_int_member_with_default(object, "actual-size", 0);
    json_object_set_string_member(all, "image", argv[1]);
    json_object_set_string_member(all, "format", format);
    json_object_set_int_member(all, "virtual_bytes", virtual_bytes);
    json_object_set_int_member(all, "bytes", bytes);
    json_object_set_boolean_member(all, "made_here", own_images_has(argv[1]));
    descriptions = json_array_new();
    json_object_set_array_member(all, "snapshots", descriptions);
    if (!json)
        printf("%s: %s, %.1f GB, of which %.1f GB are used\n%s\n", argv[1], format, (double)virtual_bytes / 1e9,
               (double)bytes / 1e9,
               own_images_has(argv[1]) ? "made here: workloads may see this machine's files"
                                       : "not made here: workloads see this machine's files only with --files host");
    for (guint i = 0; snapshots && i < json_array_get_length(snapshots); i++) {
        JsonObject *snapshot = json_array_get_object_element(snapshots, i);
        const char *name = json_object_get_string_member_with_default(snapshot, "name", "");
        g_autoptr(ImageMachine) machine = image_machine_load(argv[1], name, error);

        if (!machine)
            return -1;
        if (json)
            json_array_add_object_element(descriptions, describe_snapshot(snapshot, name, machine));
        else
            print_snapshot(snapshot, name, machine);
    }
    if (json) {
        g_autofree char *text = json_to_string(root, TRUE);

        puts(text);
    } else if (!snapshots || !json_array_get_length(snapshots)) {
        puts("no snapshot");
    }
    return 0;
}
