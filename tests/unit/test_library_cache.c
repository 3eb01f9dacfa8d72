/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The loader's index of libraries, which is not trusted. */
#include <glib.h>
#include <glib/gstdio.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "../../src/vm/library_cache.h"

#define HEADER_BYTES 48
#define ENTRY_BYTES 24

static void append_word(GByteArray *file, uint32_t word)
{
    g_byte_array_append(file, (const guint8 *)&word, sizeof word);
}

/* Adds an entry; `strings` gets its strings. */
static void append_entry(GByteArray *file, GString *strings, uint32_t strings_at, uint32_t flags, const char *name,
                         const char *path, uint32_t processor)
{
    append_word(file, flags);
    append_word(file, strings_at + (uint32_t)strings->len);
    g_string_append_len(strings, name, (gssize)strlen(name) + 1);
    append_word(file, strings_at + (uint32_t)strings->len);
    g_string_append_len(strings, path, (gssize)strlen(path) + 1);
    append_word(file, 0);
    append_word(file, processor);
    append_word(file, processor ? 1u << 30 : 0);
}

static GByteArray *good_file(void)
{
    const uint32_t count = 5, strings_at = HEADER_BYTES + count * ENTRY_BYTES;
    g_autoptr(GString) strings = g_string_new(NULL);
    GByteArray *file = g_byte_array_new();

    g_byte_array_append(file, (const guint8 *)"glibc-ld.so.cache1.1", 20);
    append_word(file, count);
    for (int i = 0; i < 6; i++)
        append_word(file, 0);
    append_entry(file, strings, strings_at, 0x0003, "liba.so", "/32/liba.so", 0);
    append_entry(file, strings, strings_at, 0x0303, "liba.so", "/v3/liba.so", 1);
    append_entry(file, strings, strings_at, 0x0303, "liba.so", "/one/liba.so", 0);
    append_entry(file, strings, strings_at, 0x0303, "liba.so", "/two/liba.so", 0);
    append_entry(file, strings, strings_at, 0x0303, "libb.so", "relative/libb.so", 0);
    g_byte_array_append(file, (const guint8 *)strings->str, (guint)strings->len);
    return file;
}

/* What is found in a file of these bytes: "VARIANTS | PATHS". */
static char *look_up(const guint8 *bytes, gsize length, const char *name)
{
    g_autofree char *path = g_strdup_printf("%s/test_library_cache.%d", g_get_tmp_dir(), getpid());
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) variants = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(LibraryCache) cache = NULL;

    g_assert_true(g_file_set_contents(path, (const char *)bytes, (gssize)length, NULL));
    cache = library_cache_read(path);
    g_unlink(path);
    library_cache_look_up(cache, name, paths, variants);
    g_ptr_array_add(paths, NULL);
    g_ptr_array_add(variants, NULL);
    g_autofree char *left = g_strjoinv(" ", (char **)variants->pdata);
    g_autofree char *right = g_strjoinv(" ", (char **)paths->pdata);
    return g_strconcat(left, " | ", right, NULL);
}

static void test_entries(void)
{
    g_autoptr(GByteArray) file = good_file();
    g_autofree char *a = look_up(file->data, file->len, "liba.so");
    g_autofree char *b = look_up(file->data, file->len, "libb.so");

    g_assert_cmpstr(a, ==, "/v3/liba.so | /one/liba.so /two/liba.so");
    g_assert_cmpstr(b, ==, " | ");
}

/* Cut off anywhere, it is read as far as it goes. */
static void test_cut_off(void)
{
    g_autoptr(GByteArray) file = good_file();

    for (guint length = 0; length < file->len; length++) {
        g_autofree char *found = look_up(file->data, length, "liba.so");

        g_assert_true(strstr(found, " | "));
    }
}

static void test_damaged(void)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(1);

    for (int round = 0; round < 2000; round++) {
        g_autoptr(GByteArray) file = good_file();

        for (int i = 0; i < 3; i++)
            file->data[g_rand_int_range(random, 0, (gint32)file->len)] = (guint8)g_rand_int_range(random, 0, 256);
        g_autofree char *found = look_up(file->data, file->len, "liba.so");
        g_assert_true(strstr(found, " | "));
    }
}

static void test_no_file(void)
{
    g_autoptr(LibraryCache) cache = library_cache_read("/dev/zero");
    g_autoptr(GPtrArray) paths = g_ptr_array_new();

    library_cache_look_up(cache, "liba.so", paths, paths);
    g_assert_cmpuint(paths->len, ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/library_cache/entries", test_entries);
    g_test_add_func("/library_cache/cut_off", test_cut_off);
    g_test_add_func("/library_cache/damaged", test_damaged);
    g_test_add_func("/library_cache/no_file", test_no_file);
    return g_test_run();
}
