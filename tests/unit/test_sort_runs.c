/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sorting what is nearly sorted: the order is that of g_array_sort(), which is stable, too. */
#include <glib.h>
#include <string.h>

#include "../../src/base/sort_runs.h"

typedef struct {
    guint key, number; /* in the order before sorting */
    char more[9];      /* elements needn't be as large as a word */
} Element;

static guint comparisons;

static gint compare(gconstpointer a, gconstpointer b)
{
    const Element *x = a, *y = b;

    comparisons++;
    return (x->key > y->key) - (x->key < y->key);
}

static void add(GArray *array, guint key)
{
    Element element = { .key = key, .number = array->len };

    memset(element.more, (int)(array->len & 0x7f), sizeof element.more);
    g_array_append_val(array, element);
}

static void check(const GArray *array)
{
    g_autoptr(GArray) sorted = g_array_copy((GArray *)array), wanted = g_array_copy((GArray *)array);

    sort_runs(sorted, compare);
    g_array_sort(wanted, compare);
    g_assert_cmpmem(sorted->data, sorted->len * sizeof(Element), wanted->data, wanted->len * sizeof(Element));
}

static GArray *make(void)
{
    return g_array_new(FALSE, TRUE, sizeof(Element));
}

static void test_runs_of_all_lengths(void)
{
    for (guint seed = 0; seed < 2000; seed++) {
        g_autoptr(GRand) random = g_rand_new_with_seed(seed);
        g_autoptr(GArray) array = make();
        guint count = (guint)g_rand_int_range(random, 0, 200), key = 0;
        gint step = g_rand_int_range(random, 1, 6), back = g_rand_int_range(random, 1, 40);

        for (guint i = 0; i < count; i++) {
            key = g_rand_int_range(random, 0, back) ? key + (guint)g_rand_int_range(random, 0, step)
                                                    : (guint)g_rand_int_range(random, 0, 100);
            add(array, key);
        }
        check(array);
    }
}

static void test_ends(void)
{
    g_autoptr(GArray) array = make();

    check(array);
    add(array, 7);
    check(array);
    add(array, 3);
    check(array);
    add(array, 3);
    check(array);
}

static void test_backwards(void)
{
    g_autoptr(GArray) array = make();

    for (guint i = 0; i < 5000; i++)
        add(array, (5000 - i) / 3);
    check(array);
}

/* A kernel's symbols: one long run, and modules in any order behind it. */
static void test_what_is_in_place_costs_little(void)
{
    g_autoptr(GArray) array = make();

    for (guint i = 0; i < 100000; i++)
        add(array, i / 2);
    comparisons = 0;
    sort_runs(array, compare);
    g_assert_cmpuint(comparisons, <, 100000);
    for (guint i = 0; i < 1000; i++)
        add(array, 50000 + i * 7 % 1000);
    check(array);
    comparisons = 0;
    sort_runs(array, compare);
    g_assert_cmpuint(comparisons, <, 125000);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sort_runs/runs_of_all_lengths", test_runs_of_all_lengths);
    g_test_add_func("/sort_runs/ends", test_ends);
    g_test_add_func("/sort_runs/backwards", test_backwards);
    g_test_add_func("/sort_runs/what_is_in_place_costs_little", test_what_is_in_place_costs_little);
    return g_test_run();
}
