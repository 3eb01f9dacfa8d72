/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_tracer image info: which snapshots an image has, and of what machines. */
#include "../base/paths.h"
#include "../base/printable.h"
#include "../image/own_images.h"
#include "../protocol/frames.h"
#include "../vm/image.h"
#include "cmd.h"
#include "forms.h"

static const char *agent_remark(const ImageMachine *machine)
{
    return machine->agent_protocol >= MT_PROTOCOL_BASE && !g_strcmp0(machine->devices, IMAGE_DEVICES)
               ? "this memory_tracer's"
               : "not this memory_tracer's: prepare it again";
}

static void describe_machine(Report *report, const ImageMachine *machine)
{
    g_auto(GStrv) packages = g_strsplit(machine->packages, ",", -1);

    report_add_count(report, "ram_mb", "RAM in MB", machine->ram_mb);
    report_add_count(report, "vcpus", "vCPUs", machine->vcpus);
    report_add_text(report, "machine", "machine", machine->machine);
    report_add_text(report, "cpu", "CPU", machine->cpu);
    report_add_text(report, "kernel", "kernel", machine->kernel);
    report_add_text(report, "qemu_version", "QEMU", machine->qemu_version);
    report_add_count(report, "agent_protocol", "agent's protocol", machine->agent_protocol);
    report_add_text(report, NULL, "agent", agent_remark(machine));
    report_add_texts(report, "packages", *packages ? "packages" : NULL, (const char *const *)packages);
    report_add_text(report, "user", NULL, machine->user);
    report_add_text(report, NULL, "workloads run as", *machine->user ? machine->user : "root");
    report_add_text(report, "icount", NULL, machine->icount);
    report_add_text(report, NULL, "guest time", *machine->icount ? "by instructions (for --icount)" : "real time");
}

static void describe_snapshot(Report *report, JsonObject *snapshot, const char *name, const ImageMachine *machine)
{
    gint64 seconds = json_object_get_int_member_with_default(snapshot, "date-sec", 0);
    g_autoptr(GDateTime) date = g_date_time_new_from_unix_local(seconds);
    g_autofree char *when = date ? g_date_time_format(date, "%Y-%m-%d %H:%M:%S") : g_strdup("unknown");
    g_autofree char *printable = text_make_printable(name), *title = g_strdup_printf("\nsnapshot: %s", printable);
    Report *section = report_add_to_list(report, "snapshots", title);

    report_add_text(section, "name", NULL, name);
    report_add_count(section, "date", NULL, (uint64_t)MAX(seconds, 0));
    report_add_text(section, NULL, "taken", when);
    if (machine->known)
        describe_machine(section, machine);
    else
        report_add_sentence(section, NULL, "not made by memory_tracer: nothing is known of its machine", 0);
}

/* The image itself. */
static Report *describe_image(const char *path, JsonObject *information)
{
    const char *format = json_object_get_string_member_with_default(information, "format", "");
    gint64 virtual_bytes = json_object_get_int_member_with_default(information, "virtual-size", 0);
    gint64 bytes = json_object_get_int_member_with_default(information, "actual-size", 0);
    bool made_here = own_images_has(path);
    g_autofree char *line = g_strdup_printf("%s: %s, %.1f GB, of which %.1f GB are used", path, format,
                                            (double)virtual_bytes / 1e9, (double)bytes / 1e9);
    Report *report = report_new();

    report_add_text(report, "image", NULL, path);
    report_add_text(report, "format", NULL, format);
    report_add_count(report, "virtual_bytes", NULL, (uint64_t)MAX(virtual_bytes, 0));
    report_add_count(report, "bytes", NULL, (uint64_t)MAX(bytes, 0));
    report_add_flag(report, "made_here", NULL, made_here);
    report_add_sentence(report, NULL, line, 0);
    report_add_sentence(report, NULL,
                        made_here ? "made here: workloads may see this machine's files"
                                  : "not made here: workloads see this machine's files only with --files host",
                        0);
    return report;
}

int cmd_image_info(int argc, char **argv, GError **error)
{
    const GOptionEntry none[] = { { NULL, 0, 0, 0, NULL, NULL, NULL } };
    Forms forms = { 0 };
    g_autofree GOptionEntry *entries = forms_entries(&forms, none);
    g_autofree char *qemu_img = NULL;
    g_autoptr(JsonNode) information = NULL;
    g_autoptr(Report) report = NULL;
    RunLoop *loop;
    JsonObject *object;
    JsonArray *snapshots;

    if (!options_parse(&argc, &argv, entries, "IMAGE",
                       "Lists an image's snapshots: RAM, vCPUs, kernel, QEMU, agent version and packages of each; "
                       "and says whether the image was made here.",
                       NULL, false, error) ||
        !forms_check(&forms, error))
        return -1;
    if (argc != 2) {
        mt_fail_usage(error, "image info: an IMAGE is needed (see --help)");
        return -1;
    }
    qemu_img = paths_find_qemu_img(DEFAULT_QEMU, error);
    loop = run_loop_new(false);
    information = qemu_img ? image_query(argv[1], qemu_img, loop, error) : NULL;
    run_loop_free(loop);
    if (!information)
        return -1;
    object = json_node_get_object(information);
    snapshots = json_object_has_member(object, "snapshots") ? json_object_get_array_member(object, "snapshots") : NULL;
    report = describe_image(argv[1], object);
    for (guint i = 0; snapshots && i < json_array_get_length(snapshots); i++) {
        JsonObject *snapshot = json_array_get_object_element(snapshots, i);
        const char *name = json_object_get_string_member_with_default(snapshot, "name", "");
        g_autoptr(ImageMachine) machine = image_machine_load(argv[1], name, error);

        if (!machine)
            return -1;
        describe_snapshot(report, snapshot, name, machine);
    }
    if (!snapshots || !json_array_get_length(snapshots)) {
        JsonNode *none_there = json_node_new(JSON_NODE_ARRAY);

        json_node_take_array(none_there, json_array_new());
        report_add_json(report, "snapshots", NULL, none_there);
        report_add_sentence(report, NULL, "no snapshot", 0);
    }
    return forms_print(&forms, report, error) ? 0 : -1;
}
