/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accesses by address and time, in bounded memory (34 MiB at most, mostly far less): at most HEAT_COLUMNS stretches of
 * time (accesses, or the guest's) of equal length, and HEAT_GRANULES stretches of memory of equal size. When there are
 * more, two neighbours become one. So neither the length of a trace nor the memory that it touches need be known.
 */
#ifndef MEMORY_TRACER_ANALYSIS_HEAT_GRID_H
#define MEMORY_TRACER_ANALYSIS_HEAT_GRID_H

#include <glib.h>
#include <stdint.h>

#define HEAT_COLUMNS 512
#define HEAT_PIECE_COLUMNS 32
#define HEAT_PIECES (HEAT_COLUMNS / HEAT_PIECE_COLUMNS)
#define HEAT_GRANULES 8192
#define HEAT_SMALLEST_SHIFT 6 /* granules begin as lines of 64 bytes */

typedef struct HeatGrid HeatGrid;

/* A granule that was accessed, and how often in each column. Most granules are used in few columns: the counts are in
 * pieces, and of those that are all 0 there is none (NULL). */
typedef struct HeatGranule {
    uint64_t number;               /* its address >> heat_grid_shift() */
    uint64_t *pieces[HEAT_PIECES]; /* of HEAT_PIECE_COLUMNS counts each; belong to the grid */
} HeatGranule;

/* Only accesses that begin at an address from `first` to `last` are kept; but all accesses count as time. */
HeatGrid *heat_grid_new(uint64_t first, uint64_t last);
void heat_grid_free(HeatGrid *grid);
/* Says that this many accesses came before those that will be added: columns begin as if they had been added, too. */
void heat_grid_begin_behind(HeatGrid *grid, uint64_t accesses);
/* Adds the accesses of another grid, which began behind this one's. The result is as if all accesses had been added to
 * this one: the widths of columns and the sizes of granules depend on all accesses only, not on how they were divided.
 * After that, `next` can only be freed. */
void heat_grid_merge(HeatGrid *grid, HeatGrid *next);
void heat_grid_add(HeatGrid *grid, const uint64_t *address, size_t count);

unsigned heat_grid_shift(const HeatGrid *grid);
/* Sets the guest's time of the accesses that are added from now on; times may go back. If this is called at all, it is
 * called before the first access. Then columns are stretches of the guest's time: a power of two of nanoseconds long,
 * as short as the times allow, and aligned to that. */
void heat_grid_set_time(HeatGrid *grid, uint64_t time_ns);

/* How many columns there are; and the times at which the first one begins and the last one ends, in accesses, or with
 * heat_grid_set_time() in nanoseconds. */
unsigned heat_grid_columns(const HeatGrid *grid);
uint64_t heat_grid_begin(const HeatGrid *grid);
uint64_t heat_grid_end(const HeatGrid *grid);
/* All granules (HeatGranule), sorted by address. The caller unreferences the array; its contents are valid until more
 * is added. */
GArray *heat_grid_list(HeatGrid *grid);
static inline const HeatGranule *heat_granule_at(const GArray *list, guint at)
{
    return &g_array_index(list, HeatGranule, at);
}

#endif
