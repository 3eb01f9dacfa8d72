/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A folder that is packed by the runner and unpacked by the agent is as it was; a damaged archive does no harm. */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../guest/agent.h"
#include "../../src/vm/archive.h"

static const struct user ourselves = { .known = false };

/* Runs a shell command; arguments are $1, $2, ... */
static void shell(const char *command, const char *first, const char *second)
{
    const char *argv[] = { "bash", "-c", command, "bash", first, second, NULL };
    int status;

    g_assert_true(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status, NULL));
    g_assert_true(g_spawn_check_wait_status(status, NULL));
}

static void pack(const char *folder, const char *path, uint64_t *bytes)
{
    g_autoptr(RunLoop) loop = run_loop_new(false);

    g_assert_true(archive_create(folder, path, bytes, loop, NULL));
}

static void test_round_trip(void)
{
    g_autofree char *work = g_dir_make_tmp("mt_archive_XXXXXX", NULL);
    g_autofree char *folder = g_build_filename(work, "a folder", NULL), *path = g_build_filename(work, "archive", NULL);
    g_autofree char *copy = g_build_filename(work, "copy", NULL);
    char problem[1000] = "";
    uint64_t bytes;
    int fd;

    shell("mkdir -p \"$1/sub/empty\" && cd \"$1\" && seq 100000 >large && head -c 65536 /dev/zero >exact && echo x >'s "
          "p' && "
          ": >empty && head -c 65535 large >'sub/just below' && ln -s 'no target' sub/link && ln large sub/hard && "
          "truncate -s 100M holes && printf x | dd of=holes bs=1 seek=50000000 conv=notrunc status=none && mkfifo fifo "
          "&& "
          "chmod 4751 's p' && chmod 000 empty && touch -d @1000000000.5 large && touch -d @-5.5 exact && chmod 711 "
          "sub && touch -d @5 sub",
          folder, NULL);
    pack(folder, path, &bytes);
    fd = open(path, O_RDONLY);
    g_assert_true(unpack_archive(fd, copy, &ourselves, problem, sizeof problem));
    close(fd);
    shell(
        "list() { (cd \"$1\" && find . -printf '%p|%y|%m|%l|%T@|' -type f -printf '%s|%n\\n' -o -printf '\\n' | sort; "
        "find . -type f "
        "-exec sha256sum {} + | sort; stat -c %h large; test sub/hard -ef large); }; diff <(list \"$1\") <(list "
        "\"$2\") && "
        "test $(du -k \"$2/holes\" | cut -f1) -lt 200",
        folder, copy);

    /* A second time: it is there already. */
    fd = open(path, O_RDONLY);
    g_assert_false(unpack_archive(fd, copy, &ourselves, problem, sizeof problem));
    g_assert_nonnull(strstr(problem, "File exists"));
    close(fd);
    shell("chmod -R u+rwx \"$1\"; rm -r \"$1\"", work, NULL);
}

/* Whatever byte is changed, and wherever the archive is cut, the process that unpacks ends, and reports it. */
static void test_damaged_archives(void)
{
    g_autofree char *work = g_dir_make_tmp("mt_archive_XXXXXX", NULL);
    g_autofree char *folder = g_build_filename(work, "folder", NULL), *path = g_build_filename(work, "archive", NULL);
    g_autofree char *copy = g_build_filename(work, "copy", NULL), *bad = g_build_filename(work, "bad", NULL);
    g_autofree char *good = NULL;
    g_autoptr(GRand) random = g_rand_new_with_seed(1);
    uint64_t bytes;

    shell("mkdir -p \"$1/sub\" && echo hello >\"$1/sub/file\" && ln -s x \"$1/link\"", folder, NULL);
    pack(folder, path, &bytes);
    good = g_malloc(bytes);
    int in = open(path, O_RDONLY);
    g_assert_cmpint(read(in, good, bytes), ==, bytes);
    close(in);
    for (int round = 0; round < 200; round++) {
        g_autofree char *changed = g_memdup2(good, bytes);
        uint64_t length = round % 4 ? bytes : (uint64_t)g_rand_int_range(random, 0, (gint32)bytes);
        char problem[1000] = "";
        int fd = open(bad, O_RDWR | O_CREAT | O_TRUNC, 0600);

        /* Names stay as they are: they could lead anywhere, as this is not the guest. */
        if (round % 4)
            changed[g_rand_int_range(random, 0, 24)] ^= (char)(1 << g_rand_int_range(random, 0, 8));
        g_assert_cmpint(write(fd, changed, length), ==, length);
        if (!unpack_archive(fd, copy, &ourselves, problem, sizeof problem))
            g_assert_cmpstr(problem, !=, "");
        close(fd);
        shell("chmod -R u+rwx \"$1\"; rm -rf \"$1\"", copy, NULL);
    }
    shell("rm -r \"$1\"", work, NULL);
}

/* The folder may be named by way of a link, and with slashes at its end. */
static void test_other_names_of_the_folder(void)
{
    g_autofree char *work = g_dir_make_tmp("mt_archive_XXXXXX", NULL);
    g_autofree char *folder = g_build_filename(work, "folder", NULL), *link = g_build_filename(work, "link", NULL);
    g_autofree char *slashes = g_strconcat(folder, "//", NULL);
    const char *names[] = { link, slashes };

    shell("mkdir -p \"$1/sub\" && echo hello >\"$1/sub/file\" && ln -s folder \"$2\"", folder, link);
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *name = g_strdup_printf("%s/archive%u", work, i), *copy = g_strdup_printf("%s/copy%u", work, i);
        char problem[1000] = "";
        uint64_t bytes;
        int fd;

        pack(names[i], name, &bytes);
        fd = open(name, O_RDONLY);
        g_assert_true(unpack_archive(fd, copy, &ourselves, problem, sizeof problem));
        close(fd);
        shell("diff -r \"$1\" \"$2\"", folder, copy);
    }
    shell("rm -r \"$1\"", work, NULL);
}

static void test_what_cannot_be_read(void)
{
    g_autofree char *work = g_dir_make_tmp("mt_archive_XXXXXX", NULL);
    g_autofree char *path = g_build_filename(work, "archive", NULL), *gone = g_build_filename(work, "gone", NULL);
    g_autoptr(RunLoop) loop = run_loop_new(false);
    g_autoptr(GError) error = NULL;
    uint64_t bytes;

    g_assert_false(archive_create(gone, path, &bytes, loop, &error));
    g_assert_nonnull(strstr(error->message, gone));
    shell("rm -r \"$1\"", work, NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/archive/round_trip", test_round_trip);
    g_test_add_func("/archive/damaged", test_damaged_archives);
    g_test_add_func("/archive/other_names_of_the_folder", test_other_names_of_the_folder);
    g_test_add_func("/archive/what_cannot_be_read", test_what_cannot_be_read);
    return g_test_run();
}
