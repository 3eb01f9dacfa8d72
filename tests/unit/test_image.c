/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Images and metadata are not trusted. */
#include "../../src/vm/image.h"

#include <glib/gstdio.h>
#include <string.h>

#include "../../src/base/error.h"

typedef struct {
    char *folder, *image, *metadata;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data)
{
    (void)data;
    fixture->folder = g_dir_make_tmp("test_image.XXXXXX", NULL);
    fixture->image = g_build_filename(fixture->folder, "image.qcow2", NULL);
    fixture->metadata = g_strconcat(fixture->image, ".json", NULL);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    (void)data;
    g_unlink(fixture->image);
    g_unlink(fixture->metadata);
    g_rmdir(fixture->folder);
    g_free(fixture->folder);
    g_free(fixture->image);
    g_free(fixture->metadata);
}

static ImageMachine *load(const Fixture *fixture, const char *json, GError **error)
{
    g_assert_true(g_file_set_contents(fixture->metadata, json, -1, NULL));
    return image_machine_load(fixture->image, "snap", error);
}

/* With one member as it is, and one line that names file and member if it is refused. */
static void check_member(const Fixture *fixture, const char *member, const char *value, bool is_fine)
{
    const char *const usual[][2] = { { "machine", "\"pc-q35-10.0\"" },
                                     { "cpu", "\"max\"" },
                                     { "icount", "\"\"" },
                                     { "devices", "\"\"" },
                                     { "ram_mb", "100" },
                                     { "vcpus", "1" },
                                     { "kernel", "\"6.1\"" },
                                     { "qemu_version", "\"10.0.2\"" },
                                     { "agent_protocol", "2" },
                                     { "packages", "\"\"" },
                                     { "user", "\"root\"" },
                                     { "fingerprint", "\"0\"" } };
    g_autoptr(GString) json = g_string_new("{\"snapshots\": {\"snap\": {");
    g_autoptr(ImageMachine) machine = NULL;
    g_autoptr(GError) error = NULL;

    for (size_t i = 0; i < G_N_ELEMENTS(usual); i++)
        g_string_append_printf(json, "%s\"%s\": %s", i ? ", " : "", usual[i][0],
                               strcmp(usual[i][0], member) ? usual[i][1] : value);
    g_string_append(json, "}}}");
    machine = load(fixture, json->str, &error);
    if (!machine == is_fine)
        g_error("%s = %s: %s", member, value, error ? error->message : "it was believed");
    if (is_fine)
        return;
    g_assert_nonnull(strstr(error->message, fixture->metadata));
    g_assert_nonnull(strstr(error->message, member));
    g_assert_null(strchr(error->message, '\n'));
    g_assert_null(strchr(error->message, '\033'));
}

static void test_members(Fixture *fixture, gconstpointer data)
{
    const char *const strings[] = { "machine",      "cpu",      "icount", "devices",    "kernel",
                                    "qemu_version", "packages", "user",   "fingerprint" };
    const char *const wrong[] = {
        "5", "1.5", "true", "null", "[]", "[\"x\"]", "{}", "\"\\u001b[2J\"", "\"two\\nlines\""
    };
    const char *const numbers[] = { "ram_mb", "vcpus", "agent_protocol" };
    const char *const no_numbers[] = { "\"1\"", "1.5", "true", "null", "[]", "{}", "-1", "99999999999", "1e30" };
    static const struct {
        const char *member, *value;
        bool is_fine;
    } values[] = {
        { "machine", "\"pc-q35-10.0\"", true },
        { "machine", "\"pc-i440fx-10.0\"", true },
        { "machine", "\"\"", false },
        { "machine", "\"q35,dumpdtb=/etc/passwd\"", false },
        { "machine", "\"q35\\n\"", false },
        { "machine", "\"-q35\"", false },
        { "cpu", "\"max,la57=off,erms=off,fsrm=off\"", true },
        { "cpu", "\"Skylake-Client-v1,+avx2,-smep,sse4.1=on\"", true },
        { "cpu", "\"max,\"", false },
        { "cpu", "\"max,vendor=x\"", false },
        { "cpu", "\"max,,x=on\"", false },
        { "cpu", "\"\"", false },
        { "icount", "\"shift=1,sleep=on\"", true },
        { "icount", "\"shift=10,sleep=off\"", true },
        { "icount", "\"shift=1,sleep=on,rr=record,rrfile=/tmp/x\"", false },
        { "icount", "\"shift=1,sleep=on\\n\"", false },
        { "icount", "\"auto\"", false },
        { "icount", "\"shift=11,sleep=on\"", false },
        { "ram_mb", "0", false },
        { "vcpus", "0", false },
        { "vcpus", "256", true },
        { "vcpus", "257", false },
        { "agent_protocol", "0", true },
        { "packages", "\"gcc\"", true },
        { "packages", "\"g++,libstdc++6,0ad,python3.11\"", true },
        { "packages", "\"gcc,\"", false },
        { "packages", "\",gcc\"", false },
        { "packages", "\"gcc, make\"", false },
        { "packages", "\"Gcc\"", false },
        { "packages", "\"a\"", false },
        { "packages", "\"-o=Dpkg\"", false },
        { "packages", "\"gcc\\n\"", false },
        { "user", "\"\"", true },
    };

    (void)data;
    for (size_t i = 0; i < G_N_ELEMENTS(strings); i++)
        for (size_t k = 0; k < G_N_ELEMENTS(wrong); k++)
            check_member(fixture, strings[i], wrong[k], false);
    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++)
        for (size_t k = 0; k < G_N_ELEMENTS(no_numbers); k++)
            check_member(fixture, numbers[i], no_numbers[k], false);
    for (size_t i = 0; i < G_N_ELEMENTS(values); i++)
        check_member(fixture, values[i].member, values[i].value, values[i].is_fine);
}

static void test_texts_of_a_mile(Fixture *fixture, gconstpointer data)
{
    g_autofree char *letters = g_strnfill(5000, 'a'), *text = g_strconcat("\"", letters, "\"", NULL);

    (void)data;
    check_member(fixture, "machine", text, false);
    check_member(fixture, "cpu", text, false);
    check_member(fixture, "kernel", text, false);
}

static void check_file(const Fixture *fixture, const char *json)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ImageMachine) machine = load(fixture, json, &error);

    g_assert_null(machine);
    g_assert_nonnull(strstr(error->message, fixture->metadata));
    machine = image_machine_new(100, 1);
    g_clear_error(&error);
    g_assert_false(image_machine_save(machine, fixture->image, "other", &error));
    g_assert_nonnull(error);
}

static void test_files(Fixture *fixture, gconstpointer data)
{
    g_autofree char *deep = g_strnfill(900000, '['), *large = g_strnfill(2000000, ' ');
    g_autoptr(ImageMachine) machine = NULL;
    g_autoptr(GError) error = NULL;

    (void)data;
    check_file(fixture, "");
    check_file(fixture, "nonsense");
    check_file(fixture, "[]");
    check_file(fixture, "{\"snapshots\": []}");
    check_file(fixture, deep);
    check_file(fixture, large);
    machine = load(fixture, "{\"snapshots\": {\"snap\": 5}}", &error);
    g_assert_null(machine);
    g_assert_nonnull(error);
    machine = load(fixture, "{}", NULL);
    g_assert_false(machine->known);
}

static void test_what_is_saved_can_be_loaded(Fixture *fixture, gconstpointer data)
{
    g_autoptr(ImageMachine) saved = image_machine_new(2560, 4), loaded = NULL;
    g_autoptr(GError) error = NULL;

    (void)data;
    image_machine_set_icount(saved, true);
    g_free(saved->packages);
    saved->packages = g_strdup("redis-server,gcc");
    g_assert_true(image_machine_save(saved, fixture->image, "snap", &error));
    loaded = image_machine_load(fixture->image, "snap", &error);
    g_assert_no_error(error);
    g_assert_true(loaded->known);
    g_assert_cmpstr(loaded->cpu, ==, saved->cpu);
    g_assert_cmpstr(loaded->icount, ==, IMAGE_ICOUNT);
    g_assert_cmpstr(loaded->packages, ==, "redis-server,gcc");
    g_assert_cmpuint(loaded->vcpus, ==, 4);
}

/* An image whose header has one byte more than that of a qcow2 that stands alone. qemu-img isn't asked. */
static void check_header(const Fixture *fixture, size_t at, char byte, const char *problem)
{
    char header[512] = "QFI\373\0\0\0\3";
    g_autoptr(RunLoop) loop = run_loop_new(false);
    g_autoptr(GError) error = NULL;

    header[at] = byte;
    g_assert_true(g_file_set_contents(fixture->image, header, sizeof header, NULL));
    g_assert_null(image_query(fixture->image, "/bin/false", loop, &error));
    g_assert_nonnull(strstr(error->message, fixture->image));
    g_assert_nonnull(strstr(error->message, problem));
}

static void test_images_stand_alone(Fixture *fixture, gconstpointer data)
{
    (void)data;
    check_header(fixture, 7, 3, "exit"); /* this one is fine: but for /bin/false */
    check_header(fixture, 0, 'X', "is not a qcow2 image");
    for (size_t at = 8; at < 16; at++)
        check_header(fixture, at, 1, "backing file");
    check_header(fixture, 79, 4, "data file");
    check_header(fixture, 79, 3, "exit"); /* other features */
}

int main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*test)(Fixture *, gconstpointer);
    } tests[] = {
        { "/image/members", test_members },
        { "/image/texts_of_a_mile", test_texts_of_a_mile },
        { "/image/files", test_files },
        { "/image/what_is_saved_can_be_loaded", test_what_is_saved_can_be_loaded },
        { "/image/images_stand_alone", test_images_stand_alone },
    };

    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);
    return g_test_run();
}
