/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which images count as made here: what was added, under whatever name; nothing else. */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../src/image/own_images.h"

static char *folder, *list;

static char *write_image(const char *name, const char *contents)
{
    char *path = g_build_filename(folder, name, NULL);

    g_assert_true(g_file_set_contents(path, contents, -1, NULL));
    return path;
}

static void add(const char *image)
{
    GError *error = NULL;

    own_images_add(image, &error);
    g_assert_no_error(error);
}

static void test_what_was_added_is_known_wherever_it_lies(void)
{
    g_autofree char *image = write_image("known", "x"), *other = write_image("other", "x");
    g_autofree char *moved = g_build_filename(folder, "moved", NULL), *link = g_build_filename(folder, "link", NULL);

    g_assert_false(own_images_has(image));
    add(image);
    g_assert_true(own_images_has(image));
    g_assert_false(own_images_has(other));
    g_assert_cmpint(symlink(image, link), ==, 0);
    g_assert_true(own_images_has(link));
    g_assert_cmpint(g_rename(image, moved), ==, 0);
    g_assert_true(own_images_has(moved));
    g_assert_false(own_images_has(image));
    g_assert_false(own_images_has(link));
}

static void test_what_has_taken_its_place_is_not(void)
{
    g_autofree char *image = write_image("replaced", "x"), *again = NULL;
    const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = 1 } };

    add(image);
    again = write_image("replaced", "x"); /* renamed over it */
    g_assert_false(own_images_has(again));
    add(image);
    g_assert_true(own_images_has(image));
    g_assert_cmpint(utimensat(AT_FDCWD, image, times, 0), ==, 0);
    g_assert_false(own_images_has(image));
    g_assert_false(own_images_has(folder));
    g_assert_false(own_images_has("/nonexistent"));
}

static void test_a_list_that_is_not_ours_is_not_believed(void)
{
    g_autofree char *image = write_image("image", "x"), *elsewhere = g_build_filename(folder, "elsewhere", NULL);

    add(image);
    g_assert_true(own_images_has(image));
    g_assert_cmpint(chmod(list, 0622), ==, 0);
    g_assert_false(own_images_has(image));
    g_assert_cmpint(chmod(list, 0600), ==, 0);
    g_assert_true(own_images_has(image));
    g_assert_cmpint(g_rename(list, elsewhere), ==, 0);
    g_assert_cmpint(symlink(elsewhere, list), ==, 0);
    g_assert_false(own_images_has(image));
    g_assert_cmpint(g_unlink(list), ==, 0);
    g_assert_cmpint(mkfifo(list, 0600), ==, 0);
    g_assert_false(own_images_has(image));
    g_assert_cmpint(g_unlink(list), ==, 0);
    g_assert_true(g_file_set_contents(list, "\n\n1 2\n\xff\n", -1, NULL));
    add(image);
    g_assert_true(own_images_has(image));
}

static gpointer add_some(gpointer image)
{
    for (int i = 0; i < 100; i++)
        add(image);
    return NULL;
}

static void test_many_at_once(void)
{
    g_autofree char *image = write_image("early", "x");
    GThread *threads[4];
    char *others[4];

    for (int i = 0; i < 4; i++) {
        g_autofree char *name = g_strdup_printf("many%d", i);

        others[i] = write_image(name, "x");
        threads[i] = g_thread_new(NULL, add_some, others[i]);
    }
    add(image);
    for (int i = 0; i < 4; i++)
        g_thread_join(threads[i]);
    for (int i = 0; i < 4; i++) {
        g_assert_true(own_images_has(others[i]));
        g_free(others[i]);
    }
    g_assert_true(own_images_has(image));
}

int main(int argc, char **argv)
{
    g_autofree char *data = NULL;
    int status;

    g_test_init(&argc, &argv, NULL);
    folder = g_dir_make_tmp("mt_test_XXXXXX", NULL);
    data = g_build_filename(folder, "data", NULL);
    list = g_build_filename(data, "memory_tracer", "images", NULL);
    g_setenv("XDG_DATA_HOME", data, TRUE);
    g_test_add_func("/own_images/what_was_added_is_known_wherever_it_lies",
                    test_what_was_added_is_known_wherever_it_lies);
    g_test_add_func("/own_images/what_has_taken_its_place_is_not", test_what_has_taken_its_place_is_not);
    g_test_add_func("/own_images/a_list_that_is_not_ours_is_not_believed",
                    test_a_list_that_is_not_ours_is_not_believed);
    g_test_add_func("/own_images/many_at_once", test_many_at_once);
    status = g_test_run();
    g_autofree char *quoted = g_shell_quote(folder), *command = g_strdup_printf("rm -r %s", quoted);
    g_assert_cmpint(g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL), ==, TRUE);
    return status;
}
