/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of `mrc`: mrc.c counts, mrc_result.c describes the result. */
#ifndef MEMORY_TRACER_ANALYSIS_MRC_PRIVATE_H
#define MEMORY_TRACER_ANALYSIS_MRC_PRIVATE_H

#include <math.h>

#include "lru_stack.h"
#include "mrc.h"

/* Buckets of distances. A bucket reaches up to where the next one begins. */
#define MRC_STEP_BITS 3 /* sizes between a power of two and the next: 8 */
#define MRC_BUCKETS (64 << MRC_STEP_BITS)
#define MRC_PARTITIONS 8

#define MRC_NO_SIZE G_MININT

typedef struct {
    char *granularity, *rate, *split;
    int samples, seed; /* samples: MRC_NO_SIZE if it isn't given */
} MrcOptions;

/* Whether samples have a fixed size. */
static inline bool mrc_has_size(const MrcOptions *options)
{
    return options->samples != MRC_NO_SIZE;
}

typedef struct {
    LruStack stack;
    double buckets[MRC_BUCKETS]; /* weights of uses, by distance */
    double all;                  /* the weight of all uses, first uses included */
} MrcHistogram;

/* The curve of one group and granularity. */
typedef struct {
    unsigned shift;
    char *group; /* or NULL */
    uint64_t uses;
    int cpl;            /* whether it is of user accesses; -1: of both */
    uint64_t last_key;  /* of the last use, without a sample */
    uint64_t limit;     /* keys up to this are in the sample */
    GArray *heap;       /* with a sample of fixed size: its keys, the greatest first */
    GArray *first_uses; /* in all parts of the work but the first: the keys in the order of their first uses; or NULL */
    GArray *last_uses;  /* the keys of the part that was merged last, in the order of their last uses; or NULL */
    MrcHistogram whole;
    MrcHistogram *parts; /* MRC_PARTITIONS of them; NULL without a sample */
} MrcCurve;

typedef enum { SPLIT_NOT, SPLIT_CPL, SPLIT_VCPU } MrcSplit;

typedef struct {
    const MrcOptions *options;
    GArray *granularities;
    GPtrArray *curves; /* MrcCurve, or NULL: by group, then granularity */
    uint64_t limit, seed, records;
    double rate;
    MrcSplit split;
    bool sampled;
    bool keeps_first_uses; /* of curves */
} Mrc;

static inline double mrc_sample_rate(const MrcCurve *curve)
{
    return ldexp((double)curve->limit, -64);
}

/* The result: see AnalysisType. */
void mrc_describe(void *data, Report *report);

#endif
