/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counts by line, a few for each, in a hash table. Exact. Memory: at most 64 to 128 bytes for each line in it. */
#ifndef MEMORY_TRACER_ANALYSIS_LINE_COUNTS_H
#define MEMORY_TRACER_ANALYSIS_LINE_COUNTS_H

#include <glib.h>
#include <stdint.h>

#define LINE_COUNTS 3 /* of each line */

typedef struct LineCount {
    uint64_t key; /* the line's number plus 1; 0: free */
    uint64_t counts[LINE_COUNTS];
} LineCount;

/* Zeros are an empty one. */
typedef struct LineCounts {
    LineCount *entries; /* open addressing, linear probing, at a load of at most 1/2 */
    unsigned bits;
    uint64_t lines;
} LineCounts;

void line_counts_clear(LineCounts *table);
/* The line's, which are 0 if it is new. Valid until the next call. */
uint64_t *line_counts_get(LineCounts *table, uint64_t line);
/* Adds another one's counts. */
void line_counts_merge(LineCounts *table, const LineCounts *other);
/* Those with most of one of the counts, at most `most` of them, of equal ones the lowest lines (LineCount); to be
 * unreferenced. */
GArray *line_counts_top(const LineCounts *table, unsigned number, guint most);

#endif
