/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is kept of a workload's standard error, and found in it. */
#include <string.h>

#include "../../src/vm/last_words.h"

static void check(const char *words, const char *library, const char *reason)
{
    g_autofree char *found = NULL, *why = NULL;

    g_assert_cmpint(last_words_name_library(words, &found, &why), ==, library != NULL);
    g_assert_cmpstr(found, ==, library);
    g_assert_cmpstr(why, ==, reason);
}

static void test_loaders_are_understood(void)
{
    check("", NULL, NULL);
    check("./p: error while loading shared libraries: libx.so.1: cannot open shared object file: No such file or "
          "directory\n",
          "libx.so.1", "cannot open shared object file: No such file or directory");
    check("Error loading shared library liby.so: No such file or directory (needed by ./p)\r\nError relocating ./p: f: "
          "symbol not found\n",
          "liby.so", "No such file or directory (needed by ./p)");
    check("error while loading shared libraries: a: b\nerror while loading shared libraries: c: d", "c", "d");
    check("error while loading shared libraries: a\x1b[2J: b", "a\\x1b[2J", "b");
    check("error while loading shared libraries: ", NULL, NULL);
    check("error while loading shared libraries: : b", NULL, NULL);
    check("error while loading shared libraries: a\n: b", NULL, NULL);
}

static void test_the_end_is_kept(void)
{
    g_autoptr(GString) words = g_string_new(NULL);
    g_autofree char *much = g_strnfill(1000000, 'x');

    last_words_add(words, much, 1000000);
    g_assert_cmpuint(words->len, <=, 100000);
    for (const char *byte = "\nerror while loading shared libraries: a"; *byte; byte++)
        last_words_add(words, byte, 1);
    last_words_add(words, "\0: b\n", 5);
    check(words->str, "a", "b");
    last_words_add(words, "", 0);
    check(words->str, "a", "b");
    last_words_add(words, much, 1000000);
    check(words->str, NULL, NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/last_words/loaders_are_understood", test_loaders_are_understood);
    g_test_add_func("/last_words/the_end_is_kept", test_the_end_is_kept);
    return g_test_run();
}
