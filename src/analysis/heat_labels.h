/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the memory of a heat map was used for, for its labels. One access of every N is looked up, in its own process,
 * and N grows with the trace, so that the memory is bounded (6 MiB).
 */
#ifndef MEMORY_TRACER_ANALYSIS_HEAT_LABELS_H
#define MEMORY_TRACER_ANALYSIS_HEAT_LABELS_H

#include "../context/context.h"

typedef struct HeatLabels HeatLabels;

/* NULL if the context has no objects. The context must outlive the result. */
HeatLabels *heat_labels_new(const Context *context);
/* NULL is fine here and below. */
void heat_labels_free(HeatLabels *labels);

/* Says that this many accesses came before those that will be looked at: then not more of them are looked up than if
 * those had been looked at, too. */
void heat_labels_begin_behind(HeatLabels *labels, uint64_t accesses);
/* Looks at a batch, which must have ADDRESS_OBJECTS_COLUMNS except for MT_COLUMN_PADDR. Which accesses are looked up
 * depends on their indexes in the trace alone. */
void heat_labels_look_at(HeatLabels *labels, const struct mt_batch *batch);
/* Adds what another one has found for other records of the same trace. */
void heat_labels_merge(HeatLabels *labels, const HeatLabels *other);

/* What the addresses from `first` to `last` were used for: a file's name, or a region's word (address_object.h); two of
 * them if both are frequent. The caller frees it. NULL if that isn't known. */
char *heat_labels_name(const HeatLabels *labels, uint64_t first, uint64_t last);

#endif
