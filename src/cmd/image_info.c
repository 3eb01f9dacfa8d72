/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_tracer image info: which snapshots an image has, and of what machines. */
#include <json-glib/json-glib.h>
#include <stdio.h>

#include "../../guest/protocol.h"
#include "../run/image.h"
#include "../run/paths.h"
#include "cmd.h"

static void print_snapshot(JsonObject *snapshot, const char *name, const ImageMachine *machine)
{
    g_autoptr(GDateTime) date =
        g_date_time_new_from_unix_local(json_object_get_int_member_with_default(snapshot, "date-sec", 0));
    g_autofree char *when = g_date_time_format(date, "%Y-%m-%d %H:%M:%S");

    printf("\nsnapshot: %s\n  taken: %s\n", name, when);
    if (!machine->known) {
        printf("  not made by memory_tracer: nothing is known of its machine\n");
        return;
    }
    printf("  RAM: %u MB\n  vCPUs: %u\n  machine: %s, CPU %s\n", machine->ram_mb, machine->vcpus, machine->machine,
           machine->cpu);
    printf("  kernel: %s\n  QEMU: %s\n", machine->kernel, machine->qemu_version);
    printf("  agent: protocol %u%s\n", machine->agent_protocol,
           machine->agent_protocol == MT_PROTOCOL_VERSION && !g_strcmp0(machine->devices, IMAGE_DEVICES)
               ? ""
               : " (not this memory_tracer's: prepare it again)");
    printf("  workloads run as: %s\n", *machine->user ? machine->user : "root");
    printf("  guest time: %s\n", *machine->icount ? "by instructions (for --icount)" : "real time");
}

static void add_string(JsonBuilder *builder, const char *name, const char *value)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_string_value(builder, value);
}

static void add_number(JsonBuilder *builder, const char *name, gint64 value)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_int_value(builder, value);
}

static void add_snapshot(JsonBuilder *builder, JsonObject *snapshot, const char *name, const ImageMachine *machine)
{
    json_builder_begin_object(builder);
    add_string(builder, "name", name);
    add_number(builder, "date", json_object_get_int_member_with_default(snapshot, "date-sec", 0));
    if (machine->known) {
        add_number(builder, "ram_mb", machine->ram_mb);
        add_number(builder, "vcpus", machine->vcpus);
        add_string(builder, "machine", machine->machine);
        add_string(builder, "cpu", machine->cpu);
        add_string(builder, "kernel", machine->kernel);
        add_string(builder, "qemu_version", machine->qemu_version);
        add_number(builder, "agent_protocol", machine->agent_protocol);
        add_string(builder, "user", machine->user);
        add_string(builder, "icount", machine->icount);
    }
    json_builder_end_object(builder);
}

int cmd_image_info(int argc, char **argv, GError **error)
{
    g_autofree char *qemu_img = NULL;
    gboolean json = FALSE;
    const GOptionEntry entries[] = {
        { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print it as JSON", NULL },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    g_autoptr(JsonBuilder) builder = json_builder_new();
    g_autoptr(JsonNode) information = NULL;
    JsonArray *snapshots;
    JsonObject *object;

    if (!cmd_parse_options(&argc, &argv, entries, "IMAGE",
                           "Lists an image's snapshots: RAM, vCPUs, kernel, QEMU and agent version of each.", NULL,
                           false, error))
        return -1;
    if (argc != 2) {
        mt_fail_usage(error, "image info: an IMAGE is needed (see --help)");
        return -1;
    }
    qemu_img = paths_find_qemu_img(DEFAULT_QEMU, error);
    information = qemu_img ? image_query(argv[1], qemu_img, error) : NULL;
    if (!information)
        return -1;
    object = json_node_get_object(information);
    snapshots = json_object_has_member(object, "snapshots") ? json_object_get_array_member(object, "snapshots") : NULL;
    json_builder_begin_object(builder);
    add_string(builder, "image", argv[1]);
    add_string(builder, "format", json_object_get_string_member_with_default(object, "format", ""));
    add_number(builder, "virtual_bytes", json_object_get_int_member_with_default(object, "virtual-size", 0));
    add_number(builder, "bytes", json_object_get_int_member_with_default(object, "actual-size", 0));
    json_builder_set_member_name(builder, "snapshots");
    json_builder_begin_array(builder);
    if (!json)
        printf("%s: %s, %.1f GB, of which %.1f GB are used\n", argv[1],
               json_object_get_string_member_with_default(object, "format", ""),
               (double)json_object_get_int_member_with_default(object, "virtual-size", 0) / 1e9,
               (double)json_object_get_int_member_with_default(object, "actual-size", 0) / 1e9);
    for (guint i = 0; snapshots && i < json_array_get_length(snapshots); i++) {
        JsonObject *snapshot = json_array_get_object_element(snapshots, i);
        const char *name = json_object_get_string_member_with_default(snapshot, "name", "");
        g_autoptr(ImageMachine) machine = image_machine_load(argv[1], name, error);

        if (!machine)
            return -1;
        if (json)
            add_snapshot(builder, snapshot, name, machine);
        else
            print_snapshot(snapshot, name, machine);
    }
    json_builder_end_array(builder);
    json_builder_end_object(builder);
    if (json) {
        g_autoptr(JsonNode) root = json_builder_get_root(builder);
        g_autofree char *text = json_to_string(root, TRUE);

        puts(text);
    } else if (!snapshots || !json_array_get_length(snapshots)) {
        puts("no snapshot");
    }
    return 0;
}
