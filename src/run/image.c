/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest images: metadata, snapshots, copy-on-write layers. See image.h. */
#include "image.h"

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
    machine->user = g_strdup(IMAGE_DEFAULT_USER);
    machine->icount = g_strdup("");
    machine->ram_mb = ram_mb;
    machine->vcpus = vcpus;
    return machine;
}

void image_machine_set_icount(ImageMachine *machine, bool icount)
{
    g_free(machine->icount);
    machine->icount = g_strdup(icount ? IMAGE_ICOUNT : "");
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
    g_free(machine->user);
    g_free(machine->icount);
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

/* The object that IMAGE.json holds, or an empty one if there is no such file. */
static JsonNode *load_metadata(const char *path, GError **error)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GError) problem = NULL;
    JsonNode *root;

    if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
        root = json_node_new(JSON_NODE_OBJECT);
        json_node_take_object(root, json_object_new());
        return root;
    }
    if (json_parser_load_from_file(parser, path, &problem) && JSON_NODE_HOLDS_OBJECT(json_parser_get_root(parser)))
        return json_parser_steal_root(parser);
    mt_fail(error, "can't read %s: %s", path, problem ? problem->message : "it is not a JSON object");
    return NULL;
}

static JsonObject *object_member(JsonObject *object, const char *name)
{
    JsonNode *node = object ? json_object_get_member(object, name) : NULL;

    return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

ImageMachine *image_machine_load(const char *image, const char *snapshot, GError **error)
{
    g_autofree char *path = metadata_path(image);
    g_autoptr(JsonNode) root = load_metadata(path, error);
    ImageMachine *machine;
    JsonObject *object;

    if (!root)
        return NULL;
    object = object_member(object_member(json_node_get_object(root), "snapshots"), snapshot);
    if (!object)
        return image_machine_new(IMAGE_DEFAULT_RAM_MB, 1);
    machine = g_new0(ImageMachine, 1);
    machine->known = true;
    machine->machine = string_member(object, "machine");
    machine->cpu = string_member(object, "cpu");
    machine->devices = string_member(object, "devices");
    machine->icount = string_member(object, "icount");
    machine->ram_mb = (unsigned)json_object_get_int_member_with_default(object, "ram_mb", 0);
    machine->vcpus = (unsigned)json_object_get_int_member_with_default(object, "vcpus", 0);
    machine->kernel = string_member(object, "kernel");
    machine->qemu_version = string_member(object, "qemu_version");
    machine->agent_protocol = (unsigned)json_object_get_int_member_with_default(object, "agent_protocol", 0);
    machine->user = string_member(object, "user");
    machine->fingerprint = string_member(object, "fingerprint");
    if (!*machine->machine || !*machine->cpu || !machine->ram_mb || !machine->vcpus) {
        mt_fail(error, "%s lacks machine, cpu, ram_mb or vcpus of snapshot '%s'", path, snapshot);
        image_machine_free(machine);
        return NULL;
    }
    return machine;
}

bool image_machine_save(const ImageMachine *machine, const char *image, const char *snapshot, GError **error)
{
    g_autofree char *path = metadata_path(image);
    g_autoptr(JsonNode) root = load_metadata(path, error);
    g_autoptr(JsonGenerator) generator = json_generator_new();
    g_autofree char *text = NULL;
    JsonObject *object = json_object_new(), *snapshots;

    if (!root) {
        json_object_unref(object);
        return false;
    }
    json_object_set_string_member(object, "machine", machine->machine);
    json_object_set_string_member(object, "cpu", machine->cpu);
    json_object_set_string_member(object, "devices", machine->devices);
    json_object_set_string_member(object, "icount", machine->icount);
    json_object_set_int_member(object, "ram_mb", machine->ram_mb);
    json_object_set_int_member(object, "vcpus", machine->vcpus);
    json_object_set_string_member(object, "kernel", machine->kernel ? machine->kernel : "");
    json_object_set_string_member(object, "qemu_version", machine->qemu_version ? machine->qemu_version : "");
    json_object_set_int_member(object, "agent_protocol", machine->agent_protocol);
    json_object_set_string_member(object, "user", machine->user);
    json_object_set_string_member(object, "fingerprint", machine->fingerprint ? machine->fingerprint : "");
    snapshots = object_member(json_node_get_object(root), "snapshots");
    if (!snapshots) {
        snapshots = json_object_new();
        json_object_set_object_member(json_node_get_object(root), "snapshots", snapshots);
    }
    json_object_set_object_member(snapshots, snapshot, object);
    json_generator_set_root(generator, root);
    json_generator_set_pretty(generator, TRUE);
    text = json_generator_to_data(generator, NULL);
    return g_file_set_contents(path, text, -1, error);
}

JsonNode *image_query(const char *image, const char *qemu_img, RunLoop *loop, GError **error)
{
    const char *argv[] = { qemu_img, "info", "--force-share", "--output=json", image, NULL };
    g_autoptr(GError) problem = NULL;
    g_autofree char *text = child_run(argv, loop, &problem);
    g_autoptr(JsonParser) parser = json_parser_new();

    if (text && json_parser_load_from_data(parser, text, -1, &problem) &&
        JSON_NODE_HOLDS_OBJECT(json_parser_get_root(parser)))
        return json_parser_steal_root(parser);
    mt_fail(error, "can't read %s: %s", image, problem ? problem->message : "qemu-img gives no information");
    return NULL;
}

GStrv image_snapshot_names(JsonNode *information)
{
    JsonObject *object = json_node_get_object(information);
    GStrvBuilder *names = g_strv_builder_new();
    GStrv result;

    if (json_object_has_member(object, "snapshots")) {
        JsonArray *snapshots = json_object_get_array_member(object, "snapshots");

        for (guint i = 0; i < json_array_get_length(snapshots); i++)
            g_strv_builder_add(names, json_object_get_string_member_with_default(
                                          json_array_get_object_element(snapshots, i), "name", ""));
    }
    result = g_strv_builder_end(names);
    g_strv_builder_unref(names);
    return result;
}

GStrv image_list_snapshots(const char *image, const char *qemu_img, RunLoop *loop, GError **error)
{
    g_autoptr(JsonNode) information = image_query(image, qemu_img, loop, error);

    return information ? image_snapshot_names(information) : NULL;
}

bool image_create_layer(const char *image, const char *path, const char *qemu_img, RunLoop *loop, GError **error)
{
    g_autofree char *absolute = g_canonicalize_filename(image, NULL);
    const char *argv[] = { qemu_img, "create", "-q", "-f", "qcow2", "-b", absolute, "-F", "raw", path, NULL };
    g_autoptr(GError) problem = NULL;
    g_autofree char *text = child_run(argv, loop, &problem);

    if (!text)
        return mt_fail(error, "can't create a temporary layer over %s: %s", image, problem->message);
    return true;
}
