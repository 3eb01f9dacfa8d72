/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Grids of heat maps against accesses that are counted one by one, and merged grids against one of all accesses. */
#include "../../src/analysis/heat_grid.h"

#include <stdbool.h>

#define ALIKE 100 /* accesses that are added at once, and have the same time */

typedef struct {
    guint count;
    uint64_t *address, *time; /* a time for each */
} Accesses;

/* How often a granule was accessed in a column. */
static uint64_t count_of(const HeatGranule *granule, unsigned column)
{
    const uint64_t *piece = granule->pieces[column / HEAT_PIECE_COLUMNS];

    return piece ? piece[column % HEAT_PIECE_COLUMNS] : 0;
}

/* `spread`: of how many bytes; `step_ns`: how far times go on, or back, from one batch to the next. */
static Accesses make(guint count, uint64_t spread, uint64_t step_ns)
{
    Accesses accesses = { count, g_new(uint64_t, count), g_new(uint64_t, count) };
    GRand *chance = g_rand_new_with_seed(count);
    uint64_t time_ns = 1000003;

    for (guint i = 0; i < count; i++) {
        /* Some of the memory is used all the time, the rest for a while. */
        uint64_t page = (uint64_t)i * (spread >> 12) / count;

        if (g_rand_int_range(chance, 0, 2))
            page = (uint64_t)g_rand_int_range(chance, 0, 8);
        accesses.address[i] = page << 12 | (uint64_t)g_rand_int_range(chance, 0, 4096);
        if (step_ns && i && i % ALIKE == 0)
            time_ns += (uint64_t)g_rand_int_range(chance, 0, (gint)step_ns) - step_ns / 4;
        accesses.time[i] = time_ns;
    }
    g_rand_free(chance);
    return accesses;
}

static void accesses_clear(Accesses *accesses)
{
    g_free(accesses->address);
    g_free(accesses->time);
}

static HeatGrid *grid_of(const Accesses *accesses, guint begin, guint end, bool by_time)
{
    HeatGrid *grid = heat_grid_new(0, UINT64_MAX);

    if (!by_time)
        heat_grid_begin_behind(grid, begin);
    for (guint i = begin, count; i < end; i += count) {
        count = MIN(end, i - i % ALIKE + ALIKE) - i;
        if (by_time)
            heat_grid_set_time(grid, accesses->time[i]);
        heat_grid_add(grid, accesses->address + i, count);
    }
    return grid;
}

static const HeatGranule *find(const GArray *list, uint64_t number)
{
    guint begin = 0, end = list->len;

    while (end - begin > 1) {
        guint middle = (begin + end) / 2;

        *(heat_granule_at(list, middle)->number > number ? &end : &begin) = middle;
    }
    return heat_granule_at(list, begin);
}

/* Each access is in the cell of its address and its time, and nothing else is in any cell. */
static void check_counts(HeatGrid *grid, const Accesses *accesses, bool by_time)
{
    g_autoptr(GArray) list = heat_grid_list(grid);
    guint columns = heat_grid_columns(grid);
    uint64_t begin = heat_grid_begin(grid), width = 1, all = 0;
    g_autofree uint64_t *counts = g_new0(uint64_t, (size_t)list->len * HEAT_COLUMNS);

    g_assert_cmpuint(columns, <=, HEAT_COLUMNS);
    g_assert_cmpuint(list->len, <=, HEAT_GRANULES);
    while (begin + width * columns < heat_grid_end(grid))
        width *= 2;
    for (guint i = 0; i < accesses->count; i++) {
        uint64_t number = accesses->address[i] >> heat_grid_shift(grid), time = by_time ? accesses->time[i] : i;
        const HeatGranule *granule = find(list, number);

        g_assert_cmpuint(granule->number, ==, number);
        g_assert_cmpuint((time - begin) / width, <, columns);
        counts[(size_t)(granule - heat_granule_at(list, 0)) * HEAT_COLUMNS + (time - begin) / width]++;
    }
    for (guint i = 0; i < list->len; i++)
        for (guint column = 0; column < HEAT_COLUMNS; column++) {
            g_assert_cmpuint(count_of(heat_granule_at(list, i), column), ==, counts[(size_t)i * HEAT_COLUMNS + column]);
            all += count_of(heat_granule_at(list, i), column);
        }
    g_assert_cmpuint(all, ==, accesses->count);
}

static void check_equal(HeatGrid *grid, HeatGrid *other)
{
    g_autoptr(GArray) list = heat_grid_list(grid);
    g_autoptr(GArray) others = heat_grid_list(other);

    g_assert_cmpuint(heat_grid_shift(grid), ==, heat_grid_shift(other));
    g_assert_cmpuint(heat_grid_columns(grid), ==, heat_grid_columns(other));
    g_assert_cmpuint(heat_grid_begin(grid), ==, heat_grid_begin(other));
    g_assert_cmpuint(heat_grid_end(grid), ==, heat_grid_end(other));
    g_assert_cmpuint(list->len, ==, others->len);
    for (guint i = 0; i < list->len; i++) {
        g_assert_cmpuint(heat_granule_at(list, i)->number, ==, heat_granule_at(others, i)->number);
        for (guint column = 0; column < HEAT_COLUMNS; column++)
            g_assert_cmpuint(count_of(heat_granule_at(list, i), column), ==,
                             count_of(heat_granule_at(others, i), column));
    }
}

static void check(guint count, uint64_t spread, uint64_t step_ns)
{
    Accesses accesses = make(count, spread, step_ns);
    HeatGrid *whole = grid_of(&accesses, 0, count, step_ns);

    check_counts(whole, &accesses, step_ns);
    for (guint parts = 2; parts < 6; parts++) {
        HeatGrid *grid = grid_of(&accesses, 0, count / parts, step_ns);

        for (guint i = 1; i < parts; i++) {
            HeatGrid *next = grid_of(&accesses, (guint)((uint64_t)count * i / parts),
                                     (guint)((uint64_t)count * (i + 1) / parts), step_ns);

            heat_grid_merge(grid, next);
            heat_grid_free(next);
        }
        check_equal(grid, whole);
        heat_grid_free(grid);
    }
    heat_grid_free(whole);
    accesses_clear(&accesses);
}

static void test_few_accesses(void)
{
    for (guint count = 1; count < 20; count++)
        check(count, 1 << 16, 0);
    check(HEAT_COLUMNS, 1 << 20, 0);
    check(HEAT_COLUMNS + 1, 1 << 20, 0);
}

static void test_few_granules(void)
{
    check(100000, 1 << 16, 0);
}

static void test_many_granules(void)
{
    check(300000, UINT64_C(1) << 30, 0);
    check(123457, UINT64_C(1) << 40, 0);
}

static void test_times(void)
{
    check(50000, 1 << 16, 10);
    check(50000, UINT64_C(1) << 30, 5);
    check(200000, UINT64_C(1) << 30, 100000);
}

/* Most of the memory is used for a while only. */
static void test_cells_that_nobody_uses_take_no_memory(void)
{
    Accesses accesses = make(200000, UINT64_C(1) << 30, 0);
    HeatGrid *grid = grid_of(&accesses, 0, accesses.count, false);
    g_autoptr(GArray) list = heat_grid_list(grid);
    guint pieces = 0;

    for (guint i = 0; i < list->len; i++)
        for (guint k = 0; k < HEAT_PIECES; k++)
            pieces += heat_granule_at(list, i)->pieces[k] != NULL;
    g_assert_cmpuint(list->len, >, HEAT_GRANULES / 4);
    g_assert_cmpuint(pieces, <, 2 * list->len);
    heat_grid_free(grid);
    accesses_clear(&accesses);
}

int main(int argc, char *argv[])
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/heat_grid/few_accesses", test_few_accesses);
    g_test_add_func("/heat_grid/few_granules", test_few_granules);
    g_test_add_func("/heat_grid/many_granules", test_many_granules);
    g_test_add_func("/heat_grid/times", test_times);
    g_test_add_func("/heat_grid/cells_that_nobody_uses_take_no_memory", test_cells_that_nobody_uses_take_no_memory);
    return g_test_run();
}
