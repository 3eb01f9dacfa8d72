/* SPDX-License-Identifier: GPL-2.0-or-later */
/* LRU stack distances against a list that is searched. */
#include "../../src/analysis/lru_stack.h"

#include <string.h>

#define KEYS 3000

/* The keys, the one that was used last at the end. */
typedef struct {
    uint64_t keys[KEYS];
    guint count;
} List;

static guint find(const List *list, uint64_t key)
{
    guint at = 0;

    while (at < list->count && list->keys[at] != key)
        at++;
    return at;
}

static void remove_at(List *list, guint at)
{
    memmove(list->keys + at, list->keys + at + 1, (list->count - at - 1) * sizeof *list->keys);
    list->count--;
}

static uint64_t use(List *list, uint64_t key)
{
    guint at = find(list, key);
    uint64_t distance = at == list->count ? LRU_STACK_NEW : list->count - at - 1;

    if (at < list->count)
        remove_at(list, at);
    list->keys[list->count++] = key;
    return distance;
}

static void check_list(const LruStack *stack, const List *list)
{
    g_autoptr(GArray) keys = lru_stack_list(stack);

    g_assert_cmpuint(stack->count, ==, list->count);
    g_assert_cmpmem(keys->data, keys->len * sizeof(uint64_t), list->keys, list->count * sizeof(uint64_t));
}

/* Keys whose lower bits are all alike are the worst for the table: they lie in one row, which goes on at its front. */
static void check_way(guint keys, guint uses, bool removes, bool alike, bool avx2)
{
    g_autofree List *list = g_new0(List, 1);
    GRand *chance = g_rand_new_with_seed(keys + uses);
    LruStack stack;

    lru_stack_init(&stack);
    stack.has_avx2 = avx2 && stack.has_avx2;
    for (guint i = 0; i < uses; i++) {
        guint number = (guint)g_rand_int_range(chance, 0, (gint)keys);
        uint64_t key = alike ? (uint64_t)number << 32 | 0xfffffffe : (uint64_t)number * UINT64_C(0x9e3779b97f4a7c15);
        guint at = find(list, key);

        if (removes && at < list->count && g_rand_int_range(chance, 0, 4) == 0) {
            lru_stack_remove(&stack, key);
            remove_at(list, at);
        } else {
            g_assert_cmpuint(lru_stack_use(&stack, key), ==, use(list, key));
        }
        if (i % 4096 == 0)
            check_list(&stack, list);
    }
    check_list(&stack, list);
    lru_stack_clear(&stack);
    g_rand_free(chance);
}

static void check(guint keys, guint uses, bool removes, bool alike)
{
    check_way(keys, uses, removes, alike, true);
    check_way(keys, uses, removes, alike, false);
}

static void test_few_keys(void)
{
    check(1, 10000, false, false);
    check(2, 10000, false, false);
    check(70, 20000, false, false);
}

static void test_many_keys(void)
{
    check(KEYS, 60000, false, false);
}

static void test_keys_that_are_removed(void)
{
    check(100, 50000, true, false);
    check(KEYS, 40000, true, false);
    check(300, 30000, true, true);
}

/* So many times that distances span all levels but the highest one: keys in turn, each of them as many uses ago as
 * there are keys; and some of them once more. */
static void check_all_levels(bool avx2)
{
    const guint keys = 1 << 19;
    LruStack stack;

    lru_stack_init(&stack);
    stack.has_avx2 = avx2 && stack.has_avx2;
    for (guint round = 0; round < 3; round++)
        for (guint i = 0; i < keys; i++)
            g_assert_cmpuint(lru_stack_use(&stack, i * UINT64_C(0x9e3779b97f4a7c15)), ==,
                             round ? keys - 1 : LRU_STACK_NEW);
    g_assert_cmpuint(stack.words, >=, 1 << 13);
    for (guint i = 0; i < keys; i += 997)
        g_assert_cmpuint(lru_stack_use(&stack, i * UINT64_C(0x9e3779b97f4a7c15)), ==, keys - 1 - i + i / 997);
    lru_stack_clear(&stack);
}

static void test_all_levels(void)
{
    check_all_levels(true);
    check_all_levels(false);
}

/* What distances are by a Fenwick tree (1994) of all uses, which has a 1 for each key's last one. */
typedef struct {
    uint32_t *tree, *last; /* last: the time of each key's, from 1 on; 0: there was none */
    uint32_t now, most;
} Reference;

static uint32_t reference_sum(const Reference *reference, uint32_t time)
{
    uint32_t sum = 0;

    for (; time; time &= time - 1)
        sum += reference->tree[time];
    return sum;
}

static void reference_change(Reference *reference, uint32_t time, uint32_t by)
{
    for (; time <= reference->most; time += time & -time)
        reference->tree[time] += by;
}

static uint64_t reference_use(Reference *reference, uint32_t key)
{
    uint32_t last = reference->last[key], now = ++reference->now;
    uint64_t distance =
        last ? reference_sum(reference, now - 1) - reference_sum(reference, last) : (uint64_t)LRU_STACK_NEW;

    if (last)
        reference_change(reference, last, UINT32_MAX);
    reference_change(reference, now, 1);
    reference->last[key] = now;
    return distance;
}

static void reference_remove(Reference *reference, uint32_t key)
{
    reference_change(reference, reference->last[key], UINT32_MAX);
    reference->last[key] = 0;
}

static uint64_t hash(uint32_t key)
{
    return key * UINT64_C(0x9e3779b97f4a7c15);
}

/* So many that all levels are used: many at once, and one by one without AVX2. One of each batch is removed again, and
 * now and then one is used for the first time. */
static void test_very_many_keys(void)
{
    const uint32_t keys = 1100000, more = 20000, uses = 9000000;
    Reference reference = { g_new0(uint32_t, uses + 1), g_new0(uint32_t, keys + more), 0, uses };
    g_autofree uint64_t *batch = g_new(uint64_t, 500), *distances = g_new(uint64_t, 500);
    GRand *chance = g_rand_new_with_seed(7);
    LruStack one, all;
    uint32_t used = 0, tops = 0;

    lru_stack_init(&one);
    lru_stack_init(&all);
    one.has_avx2 = false;
    while (reference.now + 500 <= uses && used + 500 <= keys + more) {
        size_t count = (size_t)g_rand_int_range(chance, 0, 500);
        g_autofree uint32_t *numbers = g_new(uint32_t, 500);

        for (size_t i = 0; i < count; i++) {
            bool is_new = used < keys || g_rand_int_range(chance, 0, 1000) == 0;

            numbers[i] = is_new ? used++ : (uint32_t)g_rand_int_range(chance, 0, (gint)used);
            batch[i] = hash(numbers[i]);
        }
        lru_stack_use_all(&all, batch, count, distances);
        for (size_t i = 0; i < count; i++) {
            g_assert_cmpuint(distances[i], ==, reference_use(&reference, numbers[i]));
            g_assert_cmpuint(distances[i], ==, lru_stack_use(&one, batch[i]));
        }
        if (count) {
            lru_stack_remove(&one, batch[0]);
            lru_stack_remove(&all, batch[0]);
            reference_remove(&reference, numbers[0]);
        }
        tops = MAX(tops, all.now >> 22);
    }
    g_assert_cmpuint(tops, >, 0);
    lru_stack_clear(&one);
    lru_stack_clear(&all);
    g_rand_free(chance);
    g_free(reference.tree);
    g_free(reference.last);
}

/* What is told of memory in lru_stack.h. */
static void test_memory(void)
{
    LruStack stack;

    lru_stack_init(&stack);
    for (uint64_t i = 0; i < 1000000; i++) {
        unsigned bits = stack.bits;
        double table, times;

        lru_stack_use(&stack, i * UINT64_C(0x9e3779b97f4a7c15));
        table =
            (double)(sizeof(LruBucket) << stack.bits) + (stack.bits > bits ? (double)(sizeof(LruBucket) << bits) : 0);
        times = (double)stack.words * (8 + 2 + 2.0 / 32 + 4.0 / 1024 + 4.0 / 65536);
        if (i >= 10000)
            g_assert_cmpfloat((table + times) / (double)(i + 1), <=, 48);
    }
    lru_stack_clear(&stack);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/lru_stack/few_keys", test_few_keys);
    g_test_add_func("/lru_stack/many_keys", test_many_keys);
    g_test_add_func("/lru_stack/keys_that_are_removed", test_keys_that_are_removed);
    g_test_add_func("/lru_stack/all_levels", test_all_levels);
    g_test_add_func("/lru_stack/very_many_keys", test_very_many_keys);
    g_test_add_func("/lru_stack/memory", test_memory);
    return g_test_run();
}
