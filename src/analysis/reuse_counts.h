/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `reuse` counts for an instruction, or for all instructions of a function. */
#ifndef MEMORY_TRACER_ANALYSIS_REUSE_COUNTS_H
#define MEMORY_TRACER_ANALYSIS_REUSE_COUNTS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define REUSE_BUCKETS 48
#define REUSE_STRIDES 4

/* How an access follows the last access of the same instruction on the same vCPU. */
typedef enum { REUSE_START, REUSE_SAME, REUSE_STEADY, REUSE_IRREGULAR, REUSE_PATTERNS } ReusePattern;

typedef struct ReuseStride {
    int64_t stride;
    uint64_t count; /* 0: free */
} ReuseStride;

/* All zeros are empty counts. Bucket 0 has the value 0, bucket i the values from 2^(i - 1) to 2^i - 1. */
typedef struct ReuseCounts {
    uint64_t accesses, first; /* records; and first uses of a granule */
    uint64_t distance[REUSE_BUCKETS], interval[REUSE_BUCKETS];
    uint64_t pattern[REUSE_PATTERNS];
    ReuseStride strides[REUSE_STRIDES]; /* steady ones */
} ReuseCounts;

static inline unsigned reuse_bucket(uint64_t value)
{
    return value ? MIN(64 - (unsigned)__builtin_clzll(value), REUSE_BUCKETS - 1) : 0;
}

/* Counts a steady stride this many times. If all counters are taken, it takes over the one with the lowest count, and
 * adds to that count (A. Metwally, D. Agrawal and A. El Abbadi, "Efficient Computation of Frequent and Top-k Elements
 * in Data Streams", 2005): exact for up to REUSE_STRIDES strides, and a stride with more than a quarter is never lost.
 */
void reuse_counts_add_stride(ReuseCounts *counts, int64_t stride, uint64_t times);
/* The most frequent stride. False if there was none. */
bool reuse_counts_stride(const ReuseCounts *counts, int64_t *stride);
/* Adds the counts of `other`. */
void reuse_counts_add(ReuseCounts *counts, const ReuseCounts *other);
/* The lowest power of two that is above at least half of the values; 0 if there are no values. */
uint64_t reuse_counts_median(const uint64_t *buckets);

#endif
