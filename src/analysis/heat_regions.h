/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The regions of a heat map: granules between large gaps, each with a label. */
#ifndef MEMORY_TRACER_ANALYSIS_HEAT_REGIONS_H
#define MEMORY_TRACER_ANALYSIS_HEAT_REGIONS_H

#include "heat_grid.h"
#include "heat_labels.h"

#define HEAT_REGIONS_MAX 16

/* Granules `begin` to `end` - 1 of the list, and the addresses of the first and the last one. */
typedef struct HeatRegion {
    guint begin, end;
    uint64_t first, last, accesses;
    char *name;
} HeatRegion;

/* The regions (HeatRegion, at most HEAT_REGIONS_MAX + 1) of the list of a grid, whose heat_grid_shift() is `shift`; the
 * caller unreferences them. Where `labels` (which may be NULL) have no name, the layout of addresses gives one. */
GArray *heat_regions_list(const HeatLabels *labels, const GArray *list, unsigned shift);
/* Removes all regions but the one with most accesses, and their granules. There must be a region. */
void heat_regions_keep_hottest(const HeatLabels *labels, GArray **list, GArray **regions, unsigned shift);

#endif
