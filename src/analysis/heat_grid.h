/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accesses by address and time, in bounded memory (34 MiB): at most HEAT_COLUMNS stretches of time (accesses, or the
 * guest's) of equal length, and
 * HEAT_GRANULES stretches of memory of equal size. When there are more, two neighbours become one. So neither the
 * length of a trace nor the memory that it touches need be known.
 */
#ifndef MEMORY_TRACER_ANALYSIS_HEAT_GRID_H
#define MEMORY_TRACER_ANALYSIS_HEAT_GRID_H

#include <glib.h>
#include <stdint.h>

#define HEAT_COLUMNS 512
#define HEAT_GRANULES 8192
#define HEAT_SMALLEST_SHIFT 6 /* granules begin as lines of 64 bytes */

typedef struct HeatGrid HeatGrid;

/* A granule that was accessed: its number is its address >> heat_grid_shift(). */
typedef struct HeatGranule {
    uint64_t number;
    uint64_t *cells; /* HEAT_COLUMNS counts; belongs to the grid */
} HeatGranule;

/* Only accesses that begin at `first` to `last` are kept; all of them are time. */
HeatGrid *heat_grid_new(uint64_t first, uint64_t last);
void heat_grid_free(HeatGrid *grid);
/* So many accesses came before those that it will be given: columns begin as if it had been given them, too. */
void heat_grid_begin_behind(HeatGrid *grid, uint64_t accesses);
/* Adds the accesses of another grid that was given the next ones, and began behind this one's. Both end up as if this
 * one had been given all: how wide columns and how large granules are depends on how much there is, not on the way
 * there. `next` is of no use but for heat_grid_free(). */
void heat_grid_merge(HeatGrid *grid, HeatGrid *next);
void heat_grid_add(HeatGrid *grid, const uint64_t *address, size_t count);

unsigned heat_grid_shift(const HeatGrid *grid);
/* The accesses that it is given from now on were made then; they may come in any order. If it is called at all, then
 * before the first ones, and columns are stretches of this time: of a power of two nanoseconds, as short as the times
 * allow, from a multiple of that on. */
void heat_grid_set_time(HeatGrid *grid, uint64_t time_ns);

/* How many columns there are, and what time the first one begins with and the last one ends with: accesses, or with
 * heat_grid_set_time() nanoseconds. */
unsigned heat_grid_columns(const HeatGrid *grid);
uint64_t heat_grid_begin(const HeatGrid *grid);
uint64_t heat_grid_end(const HeatGrid *grid);
/* All granules by address (HeatGranule), valid until more is added. To be unreferenced. */
GArray *heat_grid_list(HeatGrid *grid);
static inline const HeatGranule *heat_granule_at(const GArray *list, guint at)
{
    return &g_array_index(list, HeatGranule, at);
}

#endif
