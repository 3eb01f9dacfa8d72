/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The regions of a heat map: granules between large gaps, each with a label. */
#ifndef MEMORY_TRACER_ANALYSIS_HEAT_REGIONS_H
#define MEMORY_TRACER_ANALYSIS_HEAT_REGIONS_H

#include "heat_grid.h"
#include "heat_labels.h"

#define HEAT_REGIONS_MAX 16

/* Granules `begin` to `end` - 1 of the list; addresses of the first and of the last one. */
typedef struct HeatRegion {
    guint begin, end;
    uint64_t first, last, accesses;
    char *name;
} HeatRegion;

/* HeatRegion, to be unreferenced: up to HEAT_REGIONS_MAX + 1. `list`: heat_grid_list(), of a grid with this
 * heat_grid_shift(). Where `labels` (may be NULL) tell nothing, names go by the layout of addresses. */
GArray *heat_regions_list(const HeatLabels *labels, const GArray *list, unsigned shift);
/* Leaves only the region with most accesses: all others go, with their granules. There must be one. */
void heat_regions_keep_hottest(const HeatLabels *labels, GArray **list, GArray **regions, unsigned shift);

#endif
