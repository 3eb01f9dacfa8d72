/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Accesses by address and time: see heat_grid.h. */
#include "heat_grid.h"

#include <stdbool.h>
#include <string.h>

#define SLOTS (2 * HEAT_GRANULES) /* of the hash table */
#define RECENT 1024               /* granules whose counts wait */
#define HASH_FACTOR UINT64_C(0x9e3779b97f4a7c15)

typedef struct {
    uint64_t key; /* a granule's number plus 1; 0: none */
    uint64_t count;
} Recent;

struct HeatGrid {
    uint64_t first, last;
    unsigned shift, column;
    uint64_t column_accesses, left; /* of the column: how many it takes, and how many more */
    Recent recent[RECENT];          /* counts of this column that aren't in its cells yet */
    struct {
        uint64_t key;
        uint64_t *cells;
    } slots[SLOTS];
    guint used;
};

HeatGrid *heat_grid_new(uint64_t first, uint64_t last)
{
    HeatGrid *grid = g_new0(HeatGrid, 1);

    grid->first = first;
    grid->last = last;
    grid->shift = HEAT_SMALLEST_SHIFT;
    grid->column_accesses = grid->left = 1;
    return grid;
}

void heat_grid_free(HeatGrid *grid)
{
    for (guint i = 0; grid && i < SLOTS; i++)
        g_free(grid->slots[i].cells);
    g_free(grid);
}

static guint find_slot(const HeatGrid *grid, uint64_t key)
{
    guint at = (guint)((key * HASH_FACTOR) >> 32) % SLOTS;

    while (grid->slots[at].key && grid->slots[at].key != key)
        at = (at + 1) % SLOTS;
    return at;
}

/* Takes `cells`, which may be NULL for new ones of 0. */
static void add_cells(HeatGrid *grid, uint64_t key, uint64_t *cells)
{
    guint at = find_slot(grid, key);

    if (!grid->slots[at].key) {
        grid->slots[at].key = key;
        grid->slots[at].cells = cells ? cells : g_new0(uint64_t, HEAT_COLUMNS);
        grid->used++;
    } else if (cells) {
        for (guint i = 0; i < HEAT_COLUMNS; i++)
            grid->slots[at].cells[i] += cells[i];
        g_free(cells);
    }
}

/* Granules become twice as large. */
static void merge_granules(HeatGrid *grid)
{
    GArray *old = g_array_new(FALSE, FALSE, sizeof(HeatGranule));

    for (guint i = 0; i < SLOTS; i++)
        if (grid->slots[i].key) {
            HeatGranule granule = { grid->slots[i].key - 1, grid->slots[i].cells };

            g_array_append_val(old, granule);
        }
    memset(grid->slots, 0, sizeof grid->slots);
    grid->used = 0;
    grid->shift++;
    for (guint i = 0; i < old->len; i++) {
        const HeatGranule *granule = &g_array_index(old, HeatGranule, i);

        add_cells(grid, (granule->number >> 1) + 1, granule->cells);
    }
    g_array_unref(old);
}

/* Puts counts into the cell where they belong, however large granules are by now. */
static void settle(HeatGrid *grid, Recent recent, unsigned shift)
{
    uint64_t key;

    do {
        key = ((recent.key - 1) >> (grid->shift - shift)) + 1;
        if (grid->slots[find_slot(grid, key)].key || grid->used < HEAT_GRANULES)
            break;
        merge_granules(grid);
    } while (true);
    add_cells(grid, key, NULL);
    grid->slots[find_slot(grid, key)].cells[grid->column] += recent.count;
}

static void settle_all(HeatGrid *grid, unsigned shift)
{
    for (guint i = 0; i < RECENT; i++)
        if (grid->recent[i].count)
            settle(grid, grid->recent[i], shift);
    memset(grid->recent, 0, sizeof grid->recent);
}

/* The slot has another granule's count, or none. */
static void replace(HeatGrid *grid, Recent *slot, uint64_t address)
{
    unsigned shift = grid->shift;

    if (slot->count)
        settle(grid, *slot, shift);
    slot->count = 0;
    if (grid->shift != shift) /* all slots are others' now */
        settle_all(grid, shift);
    slot = &grid->recent[(address >> grid->shift) % RECENT];
    if (slot->count && slot->key != (address >> grid->shift) + 1)
        settle(grid, *slot, grid->shift);
    slot->key = (address >> grid->shift) + 1;
    slot->count = 1;
}

/* Columns become twice as wide. */
static void merge_columns(HeatGrid *grid)
{
    for (guint i = 0; i < SLOTS; i++) {
        uint64_t *cells = grid->slots[i].cells;

        for (guint column = 0; cells && column < HEAT_COLUMNS / 2; column++)
            cells[column] = cells[2 * column] + cells[2 * column + 1];
        if (cells)
            memset(cells + HEAT_COLUMNS / 2, 0, HEAT_COLUMNS / 2 * sizeof *cells);
    }
    grid->column_accesses *= 2;
}

static void begin_column(HeatGrid *grid)
{
    settle_all(grid, grid->shift);
    if (++grid->column == HEAT_COLUMNS) {
        merge_columns(grid);
        grid->column = HEAT_COLUMNS / 2;
    }
    grid->left = grid->column_accesses;
}

void heat_grid_begin_behind(HeatGrid *grid, uint64_t accesses)
{
    while (accesses / grid->column_accesses >= HEAT_COLUMNS)
        grid->column_accesses *= 2;
    grid->column = (unsigned)(accesses / grid->column_accesses);
    grid->left = grid->column_accesses - accesses % grid->column_accesses;
}

void heat_grid_merge(HeatGrid *grid, HeatGrid *next)
{
    settle_all(grid, grid->shift);
    settle_all(next, next->shift);
    while (grid->column_accesses < next->column_accesses)
        merge_columns(grid);
    while (grid->shift < next->shift)
        merge_granules(grid);
    for (guint i = 0; i < SLOTS; i++) {
        uint64_t key = next->slots[i].key;

        if (!key)
            continue;
        while (!grid->slots[find_slot(grid, ((key - 1) >> (grid->shift - next->shift)) + 1)].key &&
               grid->used == HEAT_GRANULES)
            merge_granules(grid);
        add_cells(grid, ((key - 1) >> (grid->shift - next->shift)) + 1, g_steal_pointer(&next->slots[i].cells));
    }
    grid->column = next->column;
    grid->left = next->left;
}

static void add_some(HeatGrid *grid, const uint64_t *address, size_t count)
{
    const uint64_t first = grid->first, span = grid->last - first;

    for (size_t i = 0; i < count; i++) {
        uint64_t number = address[i] >> grid->shift;
        Recent *slot = &grid->recent[number % RECENT];

        if (G_UNLIKELY(address[i] - first > span))
            continue;
        if (G_LIKELY(slot->key == number + 1))
            slot->count++;
        else
            replace(grid, slot, address[i]);
    }
}

void heat_grid_add(HeatGrid *grid, const uint64_t *address, size_t count)
{
    while (count) {
        size_t piece = MIN(count, grid->left);

        add_some(grid, address, piece);
        address += piece;
        count -= piece;
        grid->left -= piece;
        if (!grid->left)
            begin_column(grid);
    }
}

unsigned heat_grid_shift(const HeatGrid *grid)
{
    return grid->shift;
}

uint64_t heat_grid_column_accesses(const HeatGrid *grid)
{
    return grid->column_accesses;
}

unsigned heat_grid_columns(const HeatGrid *grid)
{
    return grid->column + (grid->left < grid->column_accesses);
}

static gint compare(gconstpointer a, gconstpointer b)
{
    const HeatGranule *one = a, *other = b;

    return one->number < other->number ? -1 : one->number > other->number;
}

GArray *heat_grid_list(HeatGrid *grid)
{
    GArray *list = g_array_new(FALSE, FALSE, sizeof(HeatGranule));

    settle_all(grid, grid->shift);
    for (guint i = 0; i < SLOTS; i++)
        if (grid->slots[i].key) {
            HeatGranule granule = { grid->slots[i].key - 1, grid->slots[i].cells };

            g_array_append_val(list, granule);
        }
    g_array_sort(list, compare);
    return list;
}
