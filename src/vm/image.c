/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest images: metadata, snapshots, copy-on-write layers. See image.h. */
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/child.h"
#include "../base/error.h"
#include "../base/printable.h"
#include "../ring/ring.h"

/* Pinned, so that a newer QEMU still builds the machine that the snapshot was taken of. */
#define DEFAULT_MACHINE "pc-q35-10.0"
/*
 * Everything that TCG can do, with two exceptions. No 5-level paging: addresses keep 48 bits. No "fast rep string"
 * bits: TCG executes `rep movsb` byte by byte; without these bits, kernel and C library copy in words instead.
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
    machine->packages = g_strdup("");
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
    g_free(machine->packages);
    g_free(machine->icount);
    g_free(machine->fingerprint);
    g_free(machine);
}

static char *metadata_path(const char *image)
{
    return g_strconcat(image, ".json", NULL);
}

/*
 * IMAGE.json comes with the image, maybe from the network, and some of it goes to QEMU's command line, where a comma is
 * enough to add options that write to files. So what isn't as we would have written it is refused.
 */

#define MOST_JSON_BYTES (1024 * 1024)
#define MOST_JSON_DEPTH 16 /* the parser calls itself */
#define MOST_RAM_MB (16u * 1024 * 1024)

static const struct {
    const char *name;
    size_t offset;       /* of a char * in ImageMachine */
    const char *pattern; /* NULL: anything that can be printed */
    size_t most_bytes;
    const char *must_be;
} texts[] = {
    { "machine", offsetof(ImageMachine, machine), "^[a-z0-9][a-z0-9.-]*\\z", 64, "a name like \"pc-q35-10.0\"" },
    { "cpu", offsetof(ImageMachine, cpu), "^[A-Za-z0-9_.-]+(,([A-Za-z0-9_.-]+=(on|off)|[+-][A-Za-z0-9_.-]+))*\\z", 1024,
      "a model, then features, like \"max,la57=off\"" },
    { "icount", offsetof(ImageMachine, icount), "^(shift=([0-9]|10),sleep=(on|off))?\\z", 64,
      "empty or like \"shift=1,sleep=on\"" },
    { "devices", offsetof(ImageMachine, devices), NULL, 1024, "a line of text" },
    { "kernel", offsetof(ImageMachine, kernel), NULL, 256, "a line of text" },
    { "qemu_version", offsetof(ImageMachine, qemu_version), NULL, 256, "a line of text" },
    { "packages", offsetof(ImageMachine, packages), IMAGE_PACKAGES_PATTERN, 65536, "names of Debian packages" },
    { "user", offsetof(ImageMachine, user), NULL, 256, "a line of text" },
    { "fingerprint", offsetof(ImageMachine, fingerprint), NULL, 256, "a line of text" },
};

static const struct {
    const char *name;
    size_t offset; /* of an unsigned in ImageMachine */
    unsigned least, most;
} numbers[] = {
    { "ram_mb", offsetof(ImageMachine, ram_mb), 1, MOST_RAM_MB },
    { "vcpus", offsetof(ImageMachine, vcpus), 1, RING_MAX_VCPUS },
    { "agent_protocol", offsetof(ImageMachine, agent_protocol), 0, G_MAXINT },
};

/* Whether no more than MOST_JSON_DEPTH brackets are open at a time, wherever they are. */
static bool is_shallow(const char *text)
{
    int depth = 0;

    for (; *text; text++) {
        depth += (*text == '[' || *text == '{') - (*text == ']' || *text == '}');
        if (depth > MOST_JSON_DEPTH)
            return false;
    }
    return true;
}

/* The contents of a file that isn't too large. */
static char *read_json_file(const char *path, GError **error)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    g_autofree char *text = NULL;
    struct stat status;
    ssize_t n = -1;

    if (fd >= 0 && !fstat(fd, &status) && S_ISREG(status.st_mode) && status.st_size <= MOST_JSON_BYTES) {
        text = g_malloc0((size_t)status.st_size + 1);
        n = read(fd, text, (size_t)status.st_size);
    }
    if (fd >= 0)
        close(fd);
    if (fd < 0 || (text && n < 0))
        mt_fail(error, "can't read %s: %s", path, g_strerror(errno));
    else if (!text || !is_shallow(text))
        mt_fail(error, "can't read %s: it is not what memory_tracer writes", path);
    return fd >= 0 && n >= 0 && is_shallow(text) ? g_steal_pointer(&text) : NULL;
}

/* The object that IMAGE.json holds, or an empty one if there is no such file. */
static JsonNode *load_metadata(const char *path, GError **error)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GError) problem = NULL;
    g_autofree char *text = NULL;
    JsonNode *root;

    if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
        root = json_node_new(JSON_NODE_OBJECT);
        json_node_take_object(root, json_object_new());
        return root;
    }
    text = read_json_file(path, error);
    if (!text)
        return NULL;
    if (json_parser_load_from_data(parser, text, -1, &problem)) {
        root = json_parser_get_root(parser);
        if (root && JSON_NODE_HOLDS_OBJECT(root))
            return json_parser_steal_root(parser);
    }
    g_autofree char *why = text_make_printable(problem ? problem->message : "it is not a JSON object");
    mt_fail(error, "can't read %s: %s", path, why);
    return NULL;
}

/* *member becomes the object's member of this name, or NULL if it has none. False if that member isn't an object. */
static bool find_object(JsonObject *object, const char *name, JsonObject **member)
{
    JsonNode *node = object ? json_object_get_member(object, name) : NULL;

    *member = node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
    return !node || *member;
}

/* The text of a member ("" if it is missing), to be freed. NULL if it isn't what it must be. */
static char *checked_text(JsonObject *object, size_t i)
{
    JsonNode *node = json_object_get_member(object, texts[i].name);
    const char *text = node ? NULL : "";

    if (node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING)
        text = json_node_get_string(node);
    if (!text || !text_is_printable(text, texts[i].most_bytes) ||
        (texts[i].pattern && !g_regex_match_simple(texts[i].pattern, text, 0, 0)))
        return NULL;
    return g_strdup(text);
}

static bool checked_number(JsonObject *object, size_t i, unsigned *number)
{
    JsonNode *node = json_object_get_member(object, numbers[i].name);
    gint64 value = 0;

    if (node && (!JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_INT64))
        return false;
    if (node)
        value = json_node_get_int(node);
    *number = (unsigned)value;
    return value >= numbers[i].least && value <= numbers[i].most;
}

static bool read_machine(ImageMachine *machine, JsonObject *object, const char *path, const char *snapshot,
                         GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        char **text = (char **)((char *)machine + texts[i].offset);

        *text = checked_text(object, i);
        if (!*text)
            return mt_fail(error, "can't use %s: '%s' of snapshot '%s' must be %s", path, texts[i].name, snapshot,
                           texts[i].must_be);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++)
        if (!checked_number(object, i, (unsigned *)((char *)machine + numbers[i].offset)))
            return mt_fail(error, "can't use %s: '%s' of snapshot '%s' must be a number from %u to %u", path,
                           numbers[i].name, snapshot, numbers[i].least, numbers[i].most);
    return true;
}

ImageMachine *image_machine_load(const char *image, const char *snapshot, GError **error)
{
    g_autofree char *path = metadata_path(image), *name = text_make_printable(snapshot);
    g_autoptr(JsonNode) root = load_metadata(path, error);
    g_autoptr(ImageMachine) machine = NULL;
    JsonObject *snapshots, *object = NULL;

    if (!root)
        return NULL;
    if (!find_object(json_node_get_object(root), "snapshots", &snapshots) ||
        !find_object(snapshots, snapshot, &object)) {
        mt_fail(error, "can't use %s: '%s' must be an object", path, snapshots ? name : "snapshots");
        return NULL;
    }
    if (!object)
        return image_machine_new(IMAGE_DEFAULT_RAM_MB, 1);
    machine = g_new0(ImageMachine, 1);
    machine->known = true;
    return read_machine(machine, object, path, name, error) ? g_steal_pointer(&machine) : NULL;
}

bool image_machine_save(const ImageMachine *machine, const char *image, const char *snapshot, GError **error)
{
    g_autofree char *path = metadata_path(image);
    g_autoptr(JsonNode) root = load_metadata(path, error);
    g_autoptr(JsonGenerator) generator = json_generator_new();
    g_autofree char *text = NULL;
    JsonObject *object, *snapshots;

    if (!root)
        return false;
    if (!find_object(json_node_get_object(root), "snapshots", &snapshots))
        return mt_fail(error, "can't use %s: 'snapshots' must be an object", path);
    object = json_object_new();
    json_object_set_string_member(object, "machine", machine->machine);
    json_object_set_string_member(object, "cpu", machine->cpu);
    json_object_set_string_member(object, "devices", machine->devices);
    json_object_set_string_member(object, "icount", machine->icount);
    json_object_set_int_member(object, "ram_mb", machine->ram_mb);
    json_object_set_int_member(object, "vcpus", machine->vcpus);
    json_object_set_string_member(object, "kernel", machine->kernel ? machine->kernel : "");
    json_object_set_string_member(object, "qemu_version", machine->qemu_version ? machine->qemu_version : "");
    json_object_set_int_member(object, "agent_protocol", machine->agent_protocol);
    json_object_set_string_member(object, "packages", machine->packages);
    json_object_set_string_member(object, "user", machine->user);
    json_object_set_string_member(object, "fingerprint", machine->fingerprint ? machine->fingerprint : "");
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

/*
 * An image can name two other files, which QEMU and qemu-img would open, whatever they are: a backing file, and a file
 * for its data. Whoever made the image has chosen these names, so an image that has one is refused. (The format:
 * docs/interop/qcow2.txt of QEMU.)
 */
static bool check_header(const char *image, GError **error)
{
    enum { VERSION = 4, BACKING_FILE = 8, INCOMPATIBLE_FEATURES = 72, HEADER_BYTES = 80 };
    const uint64_t external_data = 1 << 2;
    int fd = open(image, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    uint8_t header[HEADER_BYTES] = { 0 };
    uint64_t backing_file, features;
    ssize_t n = fd < 0 ? -1 : pread(fd, header, sizeof header, 0);
    int problem = errno;

    if (fd >= 0)
        close(fd);
    if (n < 0)
        return mt_fail(error, "can't read %s: %s", image, g_strerror(problem));
    if (memcmp(header, "QFI\xfb", 4))
        return mt_fail(error, "%s is not a qcow2 image, but only qcow2 can hold snapshots (qemu-img convert -O qcow2)",
                       image);
    memcpy(&backing_file, header + BACKING_FILE, sizeof backing_file);
    memcpy(&features, header + INCOMPATIBLE_FEATURES, sizeof features);
    if (GUINT64_FROM_BE(backing_file) || (header[VERSION + 3] >= 3 && GUINT64_FROM_BE(features) & external_data))
        return mt_fail(error,
                       "%s needs another file, its %s file: a guest image must stand alone (qemu-img convert -O qcow2)",
                       image, backing_file ? "backing" : "data");
    return true;
}

JsonNode *image_query(const char *image, const char *qemu_img, RunLoop *loop, GError **error)
{
    const char *argv[] = { qemu_img, "info", "--force-share", "--output=json", "-f", "qcow2", image, NULL };
    g_autoptr(GError) problem = NULL;
    g_autofree char *text = NULL;
    g_autoptr(JsonParser) parser = json_parser_new();

    if (!check_header(image, error))
        return NULL;
    text = child_run(argv, loop, &problem);
    if (text && json_parser_load_from_data(parser, text, -1, &problem) &&
        JSON_NODE_HOLDS_OBJECT(json_parser_get_root(parser)))
        return json_parser_steal_root(parser);
    if (mt_propagate_interruption(error, &problem))
        return NULL;
    g_autofree char *why = text_make_printable(problem ? problem->message : "qemu-img gives no information");
    mt_fail(error, "can't read %s: %s", image, why);
    return NULL;
}

GStrv image_snapshot_names(JsonNode *information)
{
    JsonNode *node = json_object_get_member(json_node_get_object(information), "snapshots");
    JsonArray *snapshots = node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    for (guint i = 0; snapshots && i < json_array_get_length(snapshots); i++) {
        JsonNode *element = json_array_get_element(snapshots, i);
        JsonNode *name =
            JSON_NODE_HOLDS_OBJECT(element) ? json_object_get_member(json_node_get_object(element), "name") : NULL;

        if (name && JSON_NODE_HOLDS_VALUE(name) && json_node_get_string(name))
            g_ptr_array_add(names, g_strdup(json_node_get_string(name)));
    }
    g_ptr_array_add(names, NULL);
    return (GStrv)g_ptr_array_free(g_steal_pointer(&names), FALSE);
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

    if (!text && mt_propagate_interruption(error, &problem))
        return false;
    if (!text)
        return mt_fail(error, "can't create a temporary layer over %s: %s", image, problem->message);
    return true;
}
