/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The footprint analysis against sets kept the slow way. */
#include <glib.h>

#include "../../src/analysis/footprint.h"

static gpointer key(uint64_t number)
{
    return (gpointer)(uintptr_t)(number + 1);
}

static void test_random_accesses_are_counted_exactly(void)
{
    g_autoptr(Footprint) footprint = footprint_new();
    g_autoptr(GHashTable) lines = g_hash_table_new(NULL, NULL), pages = g_hash_table_new(NULL, NULL);
    g_autoptr(GRand) random = g_rand_new_with_seed(7);
    uint64_t stores = 0, user = 0;

    for (int i = 0; i < 300000; i++) {
        /* Some 20,000 pages, so that the table grows; the ends of the address space; any alignment. */
        uint64_t address = (uint64_t)g_rand_int(random) * 19 + (i % 3 ? 0 : UINT64_C(0xffff800000000000));
        struct gmbeoo_record record = { GMBEOO_VALID | (uint64_t)g_rand_int_range(random, 0, 5), address };

        if (i % 1000 == 0)
            record.virt_addr = UINT64_MAX - 15;
        if (g_rand_boolean(random))
            record.info |= GMBEOO_STORE, stores++;
        if (g_rand_boolean(random))
            record.info |= UINT64_C(3) << GMBEOO_CPL_SHIFT, user++;
        for (uint64_t byte = 0; byte < gmbeoo_size(&record); byte++) {
            g_hash_table_add(lines, key((record.virt_addr + byte) >> 6));
            g_hash_table_add(pages, key((record.virt_addr + byte) >> 12));
        }
        footprint_add(footprint, &record, 1);
    }
    FootprintResult result = footprint_result(footprint);
    g_assert_cmpuint(result.accesses, ==, 300000);
    g_assert_cmpuint(result.stores, ==, stores);
    g_assert_cmpuint(result.loads, ==, 300000 - stores);
    g_assert_cmpuint(result.user, ==, user);
    g_assert_cmpuint(result.kernel, ==, 300000 - user);
    g_assert_cmpuint(result.lines, ==, g_hash_table_size(lines));
    g_assert_cmpuint(result.pages, ==, g_hash_table_size(pages));
}

static void test_nothing(void)
{
    g_autoptr(Footprint) footprint = footprint_new();
    FootprintResult result = footprint_result(footprint);

    g_assert_cmpuint(result.accesses, ==, 0);
    g_assert_cmpuint(result.lines, ==, 0);
    g_assert_cmpuint(result.pages, ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/footprint/random_accesses_are_counted_exactly", test_random_accesses_are_counted_exactly);
    g_test_add_func("/footprint/nothing", test_nothing);
    return g_test_run();
}
