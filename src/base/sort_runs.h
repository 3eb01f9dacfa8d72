/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sorting what is nearly sorted, as tables of symbols are. */
#ifndef MEMORY_TRACER_BASE_SORT_RUNS_H
#define MEMORY_TRACER_BASE_SORT_RUNS_H

#include <glib.h>

/* Sorts an array as g_array_sort() does: equal elements stay in their order. The fewer sorted stretches (runs) it
 * consists of, the faster: for one, each element is compared once. A natural merge sort (Knuth, The Art of Computer
 * Programming 3, 5.2.4) that doesn't touch what is in place already. */
void sort_runs(GArray *array, GCompareFunc compare);

#endif
