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
    bool by_time;                   /* the guest's. Then a column is 1 << time_shift ns, */
    unsigned time_shift;
    uint64_t base;         /* the first one begins with so many of them, */
    unsigned last_column;  /* and the last one that was used is this one */
    uint64_t time_ns;      /* of the current accesses */
    Recent recent[RECENT]; /* counts of this column that aren't in its cells yet */
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

/* Guest time. */

/* Columns become twice as long. All counts must be in their cells. */
static void merge_times(HeatGrid *grid)
{
    uint64_t base = grid->base >> 1;

    for (guint i = 0; i < SLOTS; i++) {
        uint64_t *cells = grid->slots[i].cells;

        for (unsigned column = 0; cells && column <= grid->last_column; column++) {
            uint64_t count = cells[column];

            cells[column] = 0;
            cells[((grid->base + column) >> 1) - base] += count;
        }
    }
    grid->last_column = (unsigned)(((grid->base + grid->last_column) >> 1) - base);
    grid->base = base;
    grid->time_shift++;
}

/* So many columns are put before the first one; there must be room. */
static void move_columns(HeatGrid *grid, unsigned by)
{
    for (guint i = 0; by && i < SLOTS; i++) {
        uint64_t *cells = grid->slots[i].cells;

        if (!cells)
            continue;
        memmove(cells + by, cells, (grid->last_column + 1) * sizeof *cells);
        memset(cells, 0, by * sizeof *cells);
    }
    grid->base -= by;
    grid->last_column += by;
}

/* Makes room for the columns `first` to `last` of a length of 1 << `shift` ns, as well as for those that there are. All
 * counts must be in their cells. */
static void make_room_for(HeatGrid *grid, uint64_t first, uint64_t last, unsigned shift)
{
    uint64_t low, high;

    while (grid->time_shift < shift)
        merge_times(grid);
    for (;; merge_times(grid)) {
        low = MIN(grid->base, first >> (grid->time_shift - shift));
        high = MAX(grid->base + grid->last_column, last >> (grid->time_shift - shift));
        if (high - low < HEAT_COLUMNS)
            break;
    }
    move_columns(grid, (unsigned)(grid->base - low));
    grid->last_column = (unsigned)(high - low);
}

void heat_grid_set_time(HeatGrid *grid, uint64_t time_ns)
{
    uint64_t column;

    if (grid->by_time && time_ns == grid->time_ns)
        return;
    if (!grid->by_time)
        grid->base = time_ns;
    grid->by_time = true;
    grid->time_ns = time_ns;
    column = time_ns >> grid->time_shift;
    if (column - grid->base == grid->column) /* below the base it wraps around to what is none */
        return;
    settle_all(grid, grid->shift);
    if (column < grid->base || column > grid->base + grid->last_column)
        make_room_for(grid, time_ns, time_ns, 0);
    grid->column = (unsigned)((time_ns >> grid->time_shift) - grid->base);
}

/* Both have columns of the same length then, that begin at the same time. */
static void align_times(HeatGrid *grid, HeatGrid *next)
{
    make_room_for(grid, next->base, next->base + next->last_column, next->time_shift);
    while (next->time_shift < grid->time_shift)
        merge_times(next);
    move_columns(next, (unsigned)(next->base - grid->base));
}

void heat_grid_merge(HeatGrid *grid, HeatGrid *next)
{
    settle_all(grid, grid->shift);
    settle_all(next, next->shift);
    if (next->by_time && !grid->by_time)
        heat_grid_set_time(grid, next->base << next->time_shift);
    if (next->by_time)
        align_times(grid, next);
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
    if (grid->by_time)
        return;
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
    if (grid->by_time) {
        add_some(grid, address, count);
        return;
    }
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

unsigned heat_grid_columns(const HeatGrid *grid)
{
    return grid->by_time ? grid->last_column + 1 : grid->column + (grid->left < grid->column_accesses);
}

uint64_t heat_grid_begin(const HeatGrid *grid)
{
    return grid->by_time ? grid->base << grid->time_shift : 0;
}

uint64_t heat_grid_end(const HeatGrid *grid)
{
    if (grid->by_time)
        return (grid->base + grid->last_column + 1) << grid->time_shift;
    return (grid->column + 1) * grid->column_accesses - grid->left;
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
