/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many records there are with each value of `info` (struct mt_batch): of each privilege level, size, loads and
 * stores. There are several counts of each, taken in turns: many records are of the same kind as the one before, and
 * would have to wait until that is counted.
 */
#ifndef MEMORY_TRACER_ANALYSIS_KIND_COUNTS_H
#define MEMORY_TRACER_ANALYSIS_KIND_COUNTS_H

#include <stddef.h>
#include <stdint.h>

#define KIND_COUNTS 256
#define KIND_COPIES 4

typedef struct KindCounts {
    uint64_t copy[KIND_COPIES][KIND_COUNTS];
} KindCounts;

/* Counts record `i` of a batch. */
static inline void kind_counts_add(KindCounts *counts, size_t i, uint8_t info)
{
    counts->copy[i % KIND_COPIES][info]++;
}

static inline void kind_counts_add_all(KindCounts *counts, const uint8_t *info, size_t count)
{
    size_t i = 0;

    for (; i + KIND_COPIES <= count; i += KIND_COPIES)
        for (size_t k = 0; k < KIND_COPIES; k++)
            kind_counts_add(counts, k, info[i + k]);
    for (; i < count; i++)
        kind_counts_add(counts, i, info[i]);
}

static inline uint64_t kind_counts_get(const KindCounts *counts, unsigned info)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < KIND_COPIES; i++)
        sum += counts->copy[i][info];
    return sum;
}

static inline void kind_counts_merge(KindCounts *counts, const KindCounts *more)
{
    for (unsigned i = 0; i < KIND_COPIES; i++)
        for (unsigned info = 0; info < KIND_COUNTS; info++)
            counts->copy[i][info] += more->copy[i][info];
}

#endif
