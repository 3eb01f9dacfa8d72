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
static void check(guint keys, guint uses, bool removes, bool alike)
{
    g_autofree List *list = g_new0(List, 1);
    GRand *chance = g_rand_new_with_seed(keys + uses);
    LruStack stack;

    lru_stack_init(&stack);
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

/* More times than two levels of sums cover, so that distances span all levels: keys in turn, each of them as many uses
 * ago as there are keys; and one that is used again and again between. */
static void test_all_levels(void)
{
    const guint keys = 1 << 19;
    LruStack stack;

    lru_stack_init(&stack);
    for (guint round = 0; round < 3; round++)
        for (guint i = 0; i < keys; i++)
            g_assert_cmpuint(lru_stack_use(&stack, i * UINT64_C(0x9e3779b97f4a7c15)), ==,
                             round ? keys - 1 : LRU_STACK_NEW);
    g_assert_cmpuint(stack.words, >=, 1 << 13);
    for (guint i = 0; i < keys; i += 997)
        g_assert_cmpuint(lru_stack_use(&stack, i * UINT64_C(0x9e3779b97f4a7c15)), ==, keys - 1 - i + i / 997);
    lru_stack_clear(&stack);
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
        times = (double)stack.words * (8 + 1 + 4.0 / 64 + 4.0 / 4096);
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
    g_test_add_func("/lru_stack/memory", test_memory);
    return g_test_run();
}
