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

/* One access of a stretch: does in `array` at once what is certain, and the rest in `whole`. Returns whether there was
 * a rest. */
static bool access_in_stretch(CacheArray *part, CacheArray *whole, uint64_t line, bool is_store)
{
    size_t slot = cache_array_find(part, line);
    uint64_t victim;
    bool hits;

    if (cache_array_hits_again(part, line, is_store))
        return false;
    if (slot != CACHE_NOT_FOUND) {
        g_assert_true(is_store);
        part->words[cache_array_touch(part, line, slot)] |= CACHE_DIRTY;
    } else {
        victim = cache_array_insert(part, line, is_store ? CACHE_DIRTY : 0);
        if (victim)
            cache_array_put_last(whole, cache_word_line(victim));
    }
    access_line(whole, line, is_store, &hits);
    g_assert_true(hits || slot == CACHE_NOT_FOUND);
    return true;
}

/* What isn't certain in a stretch is enough to make of the array before it what it is behind it, for any length. */
static void test_stretches(void)
{
    g_autoptr(GRand) chance = g_rand_new_with_seed(2);

    for (size_t ways = 1; ways <= 20; ways++) {
        g_autoptr(CacheArray) truth = cache_array_new(SETS, ways, CACHE_LRU);
        g_autoptr(CacheArray) whole = cache_array_new(SETS, ways, CACHE_LRU);
        unsigned certain = 0, accesses = 0;

        for (unsigned stretch = 0; stretch < 200; stretch++) {
            g_autoptr(CacheArray) part = cache_array_new(SETS, ways, CACHE_LRU);

            part->has_lanes &= stretch % 2;
            for (unsigned length = (unsigned)g_rand_int_range(chance, 0, 300); length--; accesses++) {
                uint64_t line = (uint64_t)g_rand_int_range(chance, 0, (int)((ways + 1 + stretch % 3) * SETS));
                bool is_store = g_rand_boolean(chance), hits;

                access_line(truth, line, is_store, &hits);
                certain += !access_in_stretch(part, whole, line, is_store);
            }
            cache_array_order_as(whole, part);
            g_assert_cmpmem(whole->words, SETS * ways * sizeof *whole->words, truth->words,
                            SETS * ways * sizeof *truth->words);
        }
        g_assert_cmpuint(certain, >, accesses / 10);
    }
}

static void test_small(void)
{
    g_assert_true(cache_array_is_small(1024, 16));
    g_assert_false(cache_array_is_small(1025, 16));
    g_assert_false(cache_array_is_small(UINT64_MAX, SIZE_MAX));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cache_array/vectors", test_vectors);
    g_test_add_func("/cache_array/flags", test_flags);
    g_test_add_func("/cache_array/stretches", test_stretches);
    g_test_add_func("/cache_array/small", test_small);
    return g_test_run();
}
