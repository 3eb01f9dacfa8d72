/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Temporary folders of processes that have ended are removed; nothing else is. */
#include <glib.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/base/temporary_folder.h"

#define PREFIX "test-run-"
#define MAKERS 8
#define ROUNDS 200

static char *parent; /* of each test's folders */

static TemporaryFolder *make(void)
{
    g_autoptr(GError) error = NULL;
    TemporaryFolder *folder = temporary_folder_new(parent, PREFIX, &error);

    g_assert_no_error(error);
    return folder;
}

static bool exists(const char *name)
{
    g_autofree char *path = g_build_filename(parent, name, NULL);
    struct stat status;

    return !lstat(path, &status);
}

static char *put_file(const char *folder, const char *name)
{
    g_autofree char *path = g_build_filename(parent, folder, NULL);
    char *file = g_build_filename(path, name, NULL);

    g_mkdir_with_parents(path, 0700);
    g_assert_true(g_file_set_contents(file, "text", -1, NULL));
    return file;
}

/* A process that makes a folder, puts a file into it, and is killed when we say so. Gives the folder's path. */
static char *start_owner(pid_t *pid)
{
    char path[4096] = "";
    int ends[2];

    g_assert_cmpint(pipe(ends), ==, 0);
    *pid = fork();
    if (!*pid) {
        TemporaryFolder *folder = make();
        g_autofree char *file = g_build_filename(folder->path, "data", NULL);

        g_file_set_contents(file, "text", -1, NULL);
        if (write(ends[1], folder->path, strlen(folder->path) + 1) > 0)
            pause();
        _exit(1);
    }
    g_assert_cmpint(read(ends[0], path, sizeof path - 1), >, 0);
    close(ends[0]);
    close(ends[1]);
    return g_strdup(path);
}

static void test_an_owner_that_lives_keeps_its_folder_and_one_that_was_killed_does_not(void)
{
    pid_t pid;
    g_autofree char *path = start_owner(&pid);
    g_autofree char *file = g_build_filename(path, "data", NULL);

    temporary_folder_free(make());
    g_assert_true(g_file_test(file, G_FILE_TEST_EXISTS));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    g_assert_true(g_file_test(file, G_FILE_TEST_EXISTS));
    temporary_folder_free(make());
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

static void test_nothing_else_is_removed(void)
{
    g_autofree char *other = put_file("other-run-abcdef", "data"), *linked = put_file("elsewhere", "data");
    g_autofree char *link = g_build_filename(parent, PREFIX "link", NULL);
    g_autofree char *plain = g_build_filename(parent, PREFIX "plain", NULL);
    g_autofree char *foreign = put_file(PREFIX "foreign", "data"), *foreign_folder = g_path_get_dirname(foreign);
    g_autofree char *dead = put_file(PREFIX "dead", "data");
    g_autofree char *link_inside = g_build_filename(parent, PREFIX "dead", "link", NULL);

    g_assert_true(g_file_test(dead, G_FILE_TEST_EXISTS));
    g_assert_cmpint(symlink("elsewhere", link), ==, 0);
    g_assert_cmpint(symlink("../elsewhere", link_inside), ==, 0);
    g_assert_true(g_file_set_contents(plain, "text", -1, NULL));
    if (!geteuid())
        g_assert_cmpint(chown(foreign_folder, 65534, 65534), ==, 0);
    temporary_folder_free(make());
    g_assert_true(g_file_test(other, G_FILE_TEST_EXISTS));
    g_assert_true(g_file_test(linked, G_FILE_TEST_EXISTS));
    g_assert_true(g_file_test(plain, G_FILE_TEST_EXISTS));
    g_assert_true(exists(PREFIX "link"));
    if (!geteuid())
        g_assert_true(g_file_test(foreign, G_FILE_TEST_EXISTS));
    g_assert_false(exists(PREFIX "dead"));
}

/* Several processes make folders and clean up at the same time: no folder in use is removed. */
static void test_many_at_once(void)
{
    pid_t makers[MAKERS];

    for (int i = 0; i < MAKERS; i++) {
        makers[i] = fork();
        if (makers[i])
            continue;
        for (int round = 0; round < ROUNDS; round++) {
            g_autoptr(TemporaryFolder) folder = make();
            g_autofree char *file = g_build_filename(folder->path, "data", NULL);

            if (!g_file_set_contents(file, "text", -1, NULL))
                _exit(1);
            if (round % 16 == 0)
                g_usleep(1000);
            if (!g_file_test(file, G_FILE_TEST_EXISTS))
                _exit(1);
        }
        _exit(0);
    }
    for (int i = 0; i < MAKERS; i++) {
        int status;

        g_assert_cmpint(waitpid(makers[i], &status, 0), ==, makers[i]);
        g_assert_cmpint(status, ==, 0);
    }
}

static void test_where_none_can_be_made(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(temporary_folder_new("/proc/no such folder", PREFIX, &error));
    g_assert_nonnull(error);
}

static void remove_parent(void)
{
    const char *argv[] = { "rm", "-rf", parent, NULL };

    g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL);
}

int main(int argc, char **argv)
{
    int status;

    g_test_init(&argc, &argv, NULL);
    parent = g_dir_make_tmp("test_temporary_folder-XXXXXX", NULL);
    g_test_add_func("/temporary_folder/owner",
                    test_an_owner_that_lives_keeps_its_folder_and_one_that_was_killed_does_not);
    g_test_add_func("/temporary_folder/nothing_else", test_nothing_else_is_removed);
    g_test_add_func("/temporary_folder/many_at_once", test_many_at_once);
    g_test_add_func("/temporary_folder/nowhere", test_where_none_can_be_made);
    status = g_test_run();
    remove_parent();
    g_free(parent);
    return status;
}
