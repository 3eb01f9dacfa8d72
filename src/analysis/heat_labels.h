/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the memory of a heat map was used for, for its labels: every so many accesses one is asked what it goes to. So
 * each of them is right, whichever process it is of, and memory is bounded (6 MiB), however long the trace is.
 */
#ifndef MEMORY_TRACER_ANALYSIS_HEAT_LABELS_H
#define MEMORY_TRACER_ANALYSIS_HEAT_LABELS_H

#include "../context/context.h"

typedef struct HeatLabels HeatLabels;

/* NULL if nothing is known of what accesses go to. The context must stay. */
HeatLabels *heat_labels_new(const Context *context);
/* NULL is fine here and below. */
void heat_labels_free(HeatLabels *labels);

/* The batch must have been read with ADDRESS_OBJECTS_COLUMNS, physical addresses aside. Which of its accesses are
 * looked at depends on their numbers in the trace alone. */
void heat_labels_look_at(HeatLabels *labels, const struct mt_batch *batch);
/* Adds what another one has seen, of other records of the same trace. */
void heat_labels_merge(HeatLabels *labels, const HeatLabels *other);

/* What the addresses from `first` to `last` were used for: a file's name, or the word of a region (address_object.h);
 * two if both are frequent. NULL if that isn't known. To be freed. */
char *heat_labels_name(const HeatLabels *labels, uint64_t first, uint64_t last);

#endif
