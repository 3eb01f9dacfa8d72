/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Accesses by address and time: see heat_grid.h. */
#include "heat_grid.h"

#include <stdbool.h>
#include <string.h>

#define SLOTS (2 * HEAT_GRANULES) /* of the hash table */
#define RECENT_LEAST 64           /* granules whose counts wait: as many as is worth while for a column, */
#define RECENT_MOST 8192          /* all of which are looked at when it ends */
#define RECENT_OF_TIMES 1024      /* nobody knows how many accesses a column of time will have */
#define CHUNK 512                 /* pieces that are allocated at once */
#define HASH_FACTOR UINT64_C(0x9e3779b97f4a7c15)

typedef struct {
    uint64_t key; /* a granule's number plus 1; 0: none */
    uint64_t count;
} Recent;

struct HeatGrid {
    uint64_t first, last;
    unsigned shift, column;
    uint64_t column_accesses, left; /* accesses of a column; accesses left in the current one */
    bool by_time;                   /* time is the guest's. Then a column is 1 << time_shift ns, */
    unsigned time_shift;
    uint64_t base;              /* the first one begins with so many of them, */
    unsigned last_column;       /* and the last one that was used is this one */
    uint64_t time_ns;           /* of the current accesses */
    guint recents;              /* a power of two */
    Recent recent[RECENT_MOST]; /* counts of this column that aren't in its cells yet */
    guint used;
    HeatGranule granules[HEAT_GRANULES]; /* the first `used` of them */
    uint16_t slots[SLOTS];      /* of each of these, where a search for its number finds it, its index plus 1 */
    GPtrArray *chunks, *unused; /* what was allocated; and the pieces of no granule, which are 0 */
};

HeatGrid *heat_grid_new(uint64_t first, uint64_t last)
{
    HeatGrid *grid = g_new0(HeatGrid, 1);

    grid->first = first;
    grid->last = last;
    grid->shift = HEAT_SMALLEST_SHIFT;
    grid->column_accesses = grid->left = 1;
    grid->recents = RECENT_LEAST;
    grid->chunks = g_ptr_array_new_with_free_func(g_free);
    grid->unused = g_ptr_array_new();
    return grid;
}

void heat_grid_free(HeatGrid *grid)
{
    if (!grid)
        return;
    g_ptr_array_unref(grid->unused);
    g_ptr_array_unref(grid->chunks);
    g_free(grid);
}

static guint find_slot(const HeatGrid *grid, uint64_t number)
{
    guint at = (guint)((number * HASH_FACTOR) >> 32) % SLOTS;

    while (grid->slots[at] && grid->granules[grid->slots[at] - 1].number != number)
        at = (at + 1) % SLOTS;
    return at;
}

static uint64_t *take_piece(HeatGrid *grid)
{
    if (!grid->unused->len) {
        uint64_t *chunk = g_new0(uint64_t, CHUNK * HEAT_PIECE_COLUMNS);

        g_ptr_array_add(grid->chunks, chunk);
        for (guint i = CHUNK; i--;)
            g_ptr_array_add(grid->unused, chunk + (size_t)i * HEAT_PIECE_COLUMNS);
    }
    return g_ptr_array_steal_index_fast(grid->unused, grid->unused->len - 1);
}

static void give_back(HeatGrid *grid, uint64_t *piece)
{
    memset(piece, 0, HEAT_PIECE_COLUMNS * sizeof *piece);
    g_ptr_array_add(grid->unused, piece);
}

static uint64_t *get_cell(HeatGrid *grid, HeatGranule *granule, unsigned column)
{
    uint64_t **piece = &granule->pieces[column / HEAT_PIECE_COLUMNS];

    if (!*piece)
        *piece = take_piece(grid);
    return *piece + column % HEAT_PIECE_COLUMNS;
}

/* Moves pieces, which are of no other granule then. */
static void add_pieces(HeatGrid *grid, HeatGranule *granule, uint64_t *const *pieces)
{
    for (guint i = 0; i < HEAT_PIECES; i++) {
        if (!pieces[i])
            continue;
        if (!granule->pieces[i]) {
            granule->pieces[i] = pieces[i];
            continue;
        }
        for (guint k = 0; k < HEAT_PIECE_COLUMNS; k++)
            granule->pieces[i][k] += pieces[i][k];
        give_back(grid, pieces[i]);
    }
}

/* The granule of this number, which may be new. NULL: it is, and there are too many. */
static HeatGranule *find_granule(HeatGrid *grid, uint64_t number)
{
    guint at = find_slot(grid, number);

    if (!grid->slots[at]) {
        if (grid->used == HEAT_GRANULES)
            return NULL;
        grid->granules[grid->used] = (HeatGranule){ .number = number };
        grid->slots[at] = (uint16_t)++grid->used;
    }
    return &grid->granules[grid->slots[at] - 1];
}

/* Granules become twice as large. */
static void merge_granules(HeatGrid *grid)
{
    guint used = grid->used;

    memset(grid->slots, 0, sizeof grid->slots);
    grid->used = 0;
    grid->shift++;
    for (guint i = 0; i < used; i++) {
        HeatGranule old = grid->granules[i]; /* the new ones overwrite those before */

        add_pieces(grid, find_granule(grid, old.number >> 1), old.pieces);
    }
}

/* The granule of a number of 1 << `shift` bytes, however large granules are by now. */
static HeatGranule *get_granule(HeatGrid *grid, uint64_t number, unsigned shift)
{
    HeatGranule *granule;

    while (!(granule = find_granule(grid, number >> (grid->shift - shift))))
        merge_granules(grid);
    return granule;
}

/* Puts counts into the cell where they belong. */
static void settle(HeatGrid *grid, Recent recent, unsigned shift)
{
    *get_cell(grid, get_granule(grid, recent.key - 1, shift), grid->column) += recent.count;
}

static void settle_all(HeatGrid *grid, unsigned shift)
{
    for (guint i = 0; i < grid->recents; i++)
        if (grid->recent[i].count)
            settle(grid, grid->recent[i], shift);
    memset(grid->recent, 0, grid->recents * sizeof *grid->recent);
}

/* The slot has another granule's count, or none: gives it to the granule of this address. */
static void replace(HeatGrid *grid, Recent *slot, uint64_t address)
{
    unsigned shift = grid->shift;

    if (slot->count)
        settle(grid, *slot, shift);
    slot->count = 0;
    if (grid->shift != shift) /* granules have become larger, so all slots have old numbers */
        settle_all(grid, shift);
    slot = &grid->recent[(address >> grid->shift) & (grid->recents - 1)];
    if (slot->count && slot->key != (address >> grid->shift) + 1)
        settle(grid, *slot, grid->shift);
    slot->key = (address >> grid->shift) + 1;
    slot->count = 1;
}

/* Moves the counts of each column to column (column + `by`) >> `shift`. */
static void move_counts(HeatGrid *grid, unsigned by, unsigned shift)
{
    for (guint i = 0; i < grid->used; i++) {
        HeatGranule old = grid->granules[i], *granule = &grid->granules[i];

        memset(granule->pieces, 0, sizeof granule->pieces);
        for (guint k = 0; k < HEAT_PIECES; k++) {
            if (!old.pieces[k])
                continue;
            for (guint cell = 0; cell < HEAT_PIECE_COLUMNS; cell++)
                if (old.pieces[k][cell])
                    *get_cell(grid, granule, (k * HEAT_PIECE_COLUMNS + cell + by) >> shift) += old.pieces[k][cell];
            give_back(grid, old.pieces[k]);
        }
    }
}

/* Columns become twice as wide. */
static void merge_columns(HeatGrid *grid)
{
    move_counts(grid, 0, 1);
    grid->column_accesses *= 2;
}

/* When none of them is used. */
static void choose_recents(HeatGrid *grid)
{
    grid->recents = (guint)CLAMP(grid->column_accesses / 8, RECENT_LEAST, RECENT_MOST);
}

static void begin_column(HeatGrid *grid)
{
    settle_all(grid, grid->shift);
    if (++grid->column == HEAT_COLUMNS) {
        merge_columns(grid);
        grid->column = HEAT_COLUMNS / 2;
    }
    grid->left = grid->column_accesses;
    choose_recents(grid);
}

void heat_grid_begin_behind(HeatGrid *grid, uint64_t accesses)
{
    while (accesses / grid->column_accesses >= HEAT_COLUMNS)
        grid->column_accesses *= 2;
    grid->column = (unsigned)(accesses / grid->column_accesses);
    grid->left = grid->column_accesses - accesses % grid->column_accesses;
    choose_recents(grid);
}

/* Guest time. */

/* Columns become twice as long. All counts must be in their cells. */
static void merge_times(HeatGrid *grid)
{
    unsigned odd = grid->base & 1; /* then the first column becomes the second half of one */

    move_counts(grid, odd, 1);
    grid->last_column = (grid->last_column + odd) >> 1;
    grid->base >>= 1;
    grid->time_shift++;
}

/* Inserts this many columns before the first one. There must be room. */
static void insert_columns(HeatGrid *grid, unsigned by)
{
    if (!by)
        return;
    move_counts(grid, by, 0);
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
    insert_columns(grid, (unsigned)(grid->base - low));
    grid->last_column = (unsigned)(high - low);
}

void heat_grid_set_time(HeatGrid *grid, uint64_t time_ns)
{
    uint64_t column;

    if (grid->by_time && time_ns == grid->time_ns)
        return;
    if (!grid->by_time) {
        grid->base = time_ns;
        grid->recents = RECENT_OF_TIMES;
    }
    grid->by_time = true;
    grid->time_ns = time_ns;
    column = time_ns >> grid->time_shift;
    if (column - grid->base == grid->column) /* a column below the base wraps around to a number that is none */
        return;
    settle_all(grid, grid->shift);
    if (column < grid->base || column > grid->base + grid->last_column)
        make_room_for(grid, time_ns, time_ns, 0);
    grid->column = (unsigned)((time_ns >> grid->time_shift) - grid->base);
}

/* Makes the columns of both grids equally long, and begin at the same time. */
static void align_times(HeatGrid *grid, HeatGrid *next)
{
    make_room_for(grid, next->base, next->base + next->last_column, next->time_shift);
    while (next->time_shift < grid->time_shift)
        merge_times(next);
    insert_columns(next, (unsigned)(next->base - grid->base));
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
    for (guint i = 0; i < next->used; i++)
        add_pieces(grid, get_granule(grid, next->granules[i].number, next->shift), next->granules[i].pieces);
    g_ptr_array_extend_and_steal(grid->chunks, g_steal_pointer(&next->chunks));
    next->chunks = g_ptr_array_new();
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
        Recent *slot = &grid->recent[number & (grid->recents - 1)];

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
    g_array_append_vals(list, grid->granules, grid->used);
    g_array_sort(list, compare);
    return list;
}
