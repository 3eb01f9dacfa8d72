/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fuzzer's entry as a test, without libFuzzer: goes through the golden files, and through some that are damaged,
 * which are the same ones each time. So it is built and run with all other tests, with sanitizers, too. tests/fuzz/run
 * finds more.
 */
#include <glib.h>
#include <stdint.h>
#include <string.h>

#define LARGEST 9000 /* bytes; others take too long */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Replaces a few bytes, or words by extreme ones, or cuts the end off. */
static gsize damage(GRand *random, uint8_t *data, gsize size)
{
    static const uint64_t extremes[] = { 0, 1, INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX };

    for (int i = g_rand_int_range(random, 1, 5); i; i--) {
        guint at = (guint)g_rand_int_range(random, 8, (int)size);
        gsize bytes = (gsize)1 << g_rand_int_range(random, 0, 4);

        if (g_rand_int_range(random, 0, 3))
            data[at] = (uint8_t)g_rand_int(random);
        else if (at + bytes <= size)
            memcpy(data + at, &extremes[g_rand_int_range(random, 0, G_N_ELEMENTS(extremes))], bytes);
    }
    return g_rand_int_range(random, 0, 8) ? size : (gsize)g_rand_int_range(random, 8, (int)size);
}

static void test_golden_files_and_damaged_ones(void)
{
    g_autoptr(GDir) folder = g_dir_open(GOLDEN_FOLDER, 0, NULL);
    guint files = 0;

    for (const char *name; (name = g_dir_read_name(folder));) {
        g_autofree char *path = g_build_filename(GOLDEN_FOLDER, name, NULL), *contents = NULL;
        GRand *random = g_rand_new_with_seed(g_str_hash(name));
        gsize size;

        if (g_str_has_suffix(name, ".mtrace") && g_file_get_contents(path, &contents, &size, NULL) && size <= LARGEST) {
            files++;
            for (int i = 0; i <= ROUNDS; i++) {
                g_autofree uint8_t *data = g_memdup2(contents, size); /* a block of just this size, for ASan */

                LLVMFuzzerTestOneInput(data, i ? damage(random, data, size) : size);
            }
        }
        g_rand_free(random);
    }
    g_assert_cmpuint(files, >=, 8);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fuzz/golden_files_and_damaged_ones", test_golden_files_and_damaged_ones);
    return g_test_run();
}
