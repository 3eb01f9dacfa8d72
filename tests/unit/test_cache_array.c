/* SPDX-License-Identifier: GPL-2.0-or-later */
/* LRU arrays by vectors against the same without, after each access. */
#include "../../src/analysis/cache_array.h"

#include <string.h>

#define SETS 4
#define ACCESSES 20000

static void access_line(CacheArray *array, uint64_t line, bool is_store, bool *hits)
{
    *hits = cache_array_hits_anywhere(array, line, is_store);
    if (!*hits)
        cache_array_insert(array, line, is_store ? CACHE_DIRTY : 0);
}

/* The other's words, one by one, are those of a list that is searched from its front. */
static void test_vectors(void)
{
    g_autoptr(GRand) chance = g_rand_new_with_seed(1);

    for (size_t ways = 1; ways <= 20; ways++) {
        g_autoptr(CacheArray) array = cache_array_new(SETS, ways, CACHE_LRU);
        g_autoptr(CacheArray) other = cache_array_new(SETS, ways, CACHE_LRU);

#ifdef __x86_64__
        g_assert_cmpint(array->has_lanes, ==, __builtin_cpu_supports("avx2") && ways <= 16 && ways % 4 == 0);
#endif
        other->has_lanes = false;
        for (unsigned i = 0; i < ACCESSES; i++) {
            uint64_t line = (uint64_t)g_rand_int_range(chance, 0, (int)(2 * ways * SETS));
            bool is_store = g_rand_boolean(chance), hits, other_hits;

            access_line(array, line, is_store, &hits);
            access_line(other, line, is_store, &other_hits);
            g_assert_cmpint(hits, ==, other_hits);
            g_assert_cmpmem(array->words, SETS * ways * sizeof *array->words, other->words,
                            SETS * ways * sizeof *other->words);
        }
    }
}

/* Lines with other flags than CACHE_DIRTY must not hit, wherever they are. */
static void test_flags(void)
{
    for (size_t way = 0; way < 8; way++) {
        g_autoptr(CacheArray) array = cache_array_new(1, 8, CACHE_LRU);
        uint64_t before[8];

        for (uint64_t line = 8; line--;)
            cache_array_insert(array, line, line == way ? CACHE_SHARED : 0);
        memcpy(before, array->words, sizeof before);
        g_assert_false(cache_array_hits_anywhere(array, way, true));
        g_assert_false(cache_array_hits_anywhere(array, 99, true));
        g_assert_cmpmem(before, sizeof before, array->words, sizeof before);
        array->words[way] = cache_word(way);
        g_assert_true(cache_array_hits_anywhere(array, way, true));
        g_assert_cmpuint(array->words[0], ==, (cache_word(way) | CACHE_DIRTY));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cache_array/vectors", test_vectors);
    g_test_add_func("/cache_array/flags", test_flags);
    return g_test_run();
}
