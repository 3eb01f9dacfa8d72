/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counts of `reuse`: see reuse_counts.h. */
#include "reuse_counts.h"

void reuse_counts_add_stride(ReuseCounts *counts, int64_t stride, uint64_t times)
{
    ReuseStride *least = &counts->strides[0];

    for (unsigned i = 0; i < REUSE_STRIDES; i++) {
        ReuseStride *here = &counts->strides[i];

        if (here->count && here->stride == stride) {
            here->count += times;
            return;
        }
        if (here->count < least->count)
            least = here;
    }
    least->stride = stride;
    least->count += times;
}

bool reuse_counts_stride(const ReuseCounts *counts, int64_t *stride)
{
    uint64_t most = 0;

    for (unsigned i = 0; i < REUSE_STRIDES; i++)
        if (counts->strides[i].count > most) {
            most = counts->strides[i].count;
            *stride = counts->strides[i].stride;
        }
    return most;
}

void reuse_counts_add(ReuseCounts *counts, const ReuseCounts *other)
{
    counts->accesses += other->accesses;
    counts->first += other->first;
    for (unsigned i = 0; i < REUSE_BUCKETS; i++) {
        counts->distance[i] += other->distance[i];
        counts->interval[i] += other->interval[i];
    }
    for (unsigned i = 0; i < REUSE_PATTERNS; i++)
        counts->pattern[i] += other->pattern[i];
    for (unsigned i = 0; i < REUSE_STRIDES; i++)
        if (other->strides[i].count)
            reuse_counts_add_stride(counts, other->strides[i].stride, other->strides[i].count);
}

uint64_t reuse_counts_median(const uint64_t *buckets)
{
    uint64_t all = 0, so_far = 0;

    for (unsigned i = 0; i < REUSE_BUCKETS; i++)
        all += buckets[i];
    for (unsigned i = 0; all && i < REUSE_BUCKETS; i++) {
        so_far += buckets[i];
        if (so_far >= all - all / 2)
            return UINT64_C(1) << i;
    }
    return 0;
}
