/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest images: metadata, snapshots, copy-on-write layers. See image.h. */
#include "image.h"

#include <json-glib/json-glib.h>
#include <string.h>

#include "child.h"
#include "error.h"

/* Pinned, so that a newer QEMU still builds the machine that the snapshot was taken of. */
#define DEFAULT_MACHINE "pc-q35-10.0"
/*
 * All that TCG can do, but: no 5-level paging (addresses keep 48 bits), and no "fast rep string" bits, as TCG executes
 * `rep movsb` byte by byte: without them kernel and C library copy in words, as they would count on real hardware.
 */
#define DEFAULT_CPU "max,la57=off,erms=off,fsrm=off"

ImageMachine *image_machine_new(unsigned ram_mb, unsigned vcpus)
{
    ImageMachine *machine = g_new0(ImageMachine, 1);

    machine->machine = g_strdup(DEFAULT_MACHINE);
    machine->cpu = g_strdup(DEFAULT_CPU);
    machine->devices = g_strdup(IMAGE_DEVICES);
    machine->ram_mb = ram_mb;
    machine->vcpus = vcpus;
    return machine;
}

void image_machine_free(ImageMachine *machine)
{
    if (!machine)
        return;
    g_free(machine->machine);
    g_free(machine->cpu);
    g_free(machine->devices);
    g_free(machine->kernel);
    g_free(machine->qemu_version);
    g_free(machine->fingerprint);
    g_free(machine);
}

static char *metadata_path(const char *image)
{
    return g_strconcat(image, ".json", NULL);
}

static char *string_member(JsonObject *object, const char *name)
{
    return g_strdup(json_object_get_string_member_with_default(object, name, ""));
}

ImageMachine *image_machine_load(const char *image, GError **error)
{
    g_autofree char *path = metadata_path(image);
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GError) problem = NULL;
    ImageMachine *machine;
    JsonObject *object;

    if (!g_file_test(path, G_FILE_TEST_EXISTS))
        return image_machine_new(IMAGE_DEFAULT_RAM_MB, 1);
    if (!json_parser_load_from_file(parser, path, &problem) || !JSON_NODE_HOLDS_OBJECT(json_parser_get_root(parser))) {
        mt_fail(error, "can't read %s: %s", path, problem ? problem->message : "it is not a JSON object");
        return NULL;
    }
    object = json_node_get_object(json_parser_get_root(parser));
    machine = g_new0(ImageMachine, 1);
    machine->known = true;
    machine->machine = string_member(object, "machine");
    machine->cpu = string_member(object, "cpu");
    machine->devices = string_member(object, "devices");
    machine->ram_mb = (unsigned)json_object_get_int_member_with_default(object, "ram_mb", 0);
    machine->vcpus = (unsigned)json_object_get_int_member_with_default(object, "vcpus", 0);
    machine->kernel = string_member(object, "kernel");
    machine->qemu_version = string_member(object, "qemu_version");
    machine->agent_protocol = (unsigned)json_object_get_int_member_with_default(object, "agent_protocol", 0);
    machine->fingerprint = string_member(object, "fingerprint");
    if (!*machine->machine || !*machine->cpu || !machine->ram_mb || !machine->vcpus) {
        mt_fail(error, "%s lacks machine, cpu, ram_mb or vcpus", path);
        image_machine_free(machine);
        return NULL;
    }
    return machine;
}

bool image_machine_save(const ImageMachine *machine, const char *image, GError **error)
{
    g_autofree char *path = metadata_path(image);
    g_autoptr(JsonBuilder) builder = json_builder_new();
    g_autoptr(JsonGenerator) generator = json_generator_new();
    const struct {
        const char *name, *value;
    } strings[] = {
        { "machine", machine->machine },           { "cpu", machine->cpu },
        { "devices", machine->devices },           { "kernel", machine->kernel },
        { "qemu_version", machine->qemu_version }, { "fingerprint", machine->fingerprint },
    };
    const struct {
        const char *name;
        unsigned value;
    } numbers[] = {
        { "ram_mb", machine->ram_mb },
        { "vcpus", machine->vcpus },
        { "agent_protocol", machine->agent_protocol },
    };

    json_builder_begin_object(builder);
    for (guint i = 0; i < G_N_ELEMENTS(strings); i++) {
        json_builder_set_member_name(builder, strings[i].name);
        json_builder_add_string_value(builder, strings[i].value ? strings[i].value : "");
    }
    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++) {
        json_builder_set_member_name(builder, numbers[i].name);
        json_builder_add_int_value(builder, numbers[i].value);
    }
    json_builder_end_object(builder);
    g_autoptr(JsonNode) root = json_builder_get_root(builder);
    json_generator_set_root(generator, root);
    json_generator_set_pretty(generator, TRUE);
    return json_generator_to_file(generator, path, error);
}

GStrv image_list_snapshots(const char *image, const char *qemu_img, GError **error)
{
    const char *argv[] = { qemu_img, "info", "--force-share", "--output=json", image, NULL };
    g_autoptr(GError) problem = NULL;
    g_autofree char *text = child_run(argv, &problem);
    g_autoptr(JsonParser) parser = json_parser_new();
    GStrvBuilder *names;
    JsonObject *object;

    if (!text || !json_parser_load_from_data(parser, text, -1, &problem) ||
        !JSON_NODE_HOLDS_OBJECT(json_parser_get_root(parser))) {
        mt_fail(error, "can't read %s: %s", image, problem ? problem->message : "qemu-img gives no information");
        return NULL;
    }
    object = json_node_get_object(json_parser_get_root(parser));
    names = g_strv_builder_new();
    if (json_object_has_member(object, "snapshots")) {
        JsonArray *snapshots = json_object_get_array_member(object, "snapshots");

        for (guint i = 0; i < json_array_get_length(snapshots); i++)
            g_strv_builder_add(names, json_object_get_string_member_with_default(
                                          json_array_get_object_element(snapshots, i), "name", ""));
    }
    GStrv result = g_strv_builder_end(names);
    g_strv_builder_unref(names);
    return result;
}

bool image_create_layer(const char *image, const char *path, const char *qemu_img, GError **error)
{
    g_autofree char *absolute = g_canonicalize_filename(image, NULL);
    const char *argv[] = { qemu_img, "create", "-q", "-f", "qcow2", "-b", absolute, "-F", "raw", path, NULL };
    g_autoptr(GError) problem = NULL;
    g_autofree char *text = child_run(argv, &problem);

    if (!text)
        return mt_fail(error, "can't create a temporary layer over %s: %s", image, problem->message);
    return true;
}
