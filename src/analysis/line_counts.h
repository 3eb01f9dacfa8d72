/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A few counts for each line, in a hash table. Exact. Memory: 64 to 128 bytes for each line in it, at most. */
#ifndef MEMORY_TRACER_ANALYSIS_LINE_COUNTS_H
#define MEMORY_TRACER_ANALYSIS_LINE_COUNTS_H

#include <glib.h>
#include <stdint.h>

#define LINE_COUNTS 3 /* of each line */

typedef struct LineCount {
    uint64_t key; /* the line's number plus 1; 0: free */
    uint64_t counts[LINE_COUNTS];
} LineCount;

/* All zeros are an empty table. */
typedef struct LineCounts {
    LineCount *entries; /* open addressing, linear probing, at a load of at most 1/2 */
    unsigned bits;
    uint64_t lines;
} LineCounts;

void line_counts_clear(LineCounts *table);
/* The line's counts, which are 0 if it is new. Valid until the next call. */
uint64_t *line_counts_get(LineCounts *table, uint64_t line);
/* Adds the counts of another table. */
void line_counts_merge(LineCounts *table, const LineCounts *other);
/* The `most` lines (LineCount) with the highest count of this number, or fewer; of equal ones, the lowest lines. The
 * caller unreferences them. */
GArray *line_counts_top(const LineCounts *table, unsigned number, guint most);

#endif
