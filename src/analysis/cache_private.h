/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of `cache`: cache.c counts, cache_result.c describes the result. */
#ifndef MEMORY_TRACER_ANALYSIS_CACHE_PRIVATE_H
#define MEMORY_TRACER_ANALYSIS_CACHE_PRIVATE_H

#include "cache.h"
#include "cache_feed.h"
#include "cache_options.h"
#include "line_counts.h"
#include "places.h"

#define CACHE_KINDS 256 /* values of a record's info */

typedef struct {
    const CacheOptions *options;
    const Context *context;
    CacheDesign design;
    CacheFeed *feed;
    uint64_t (*by_kind)[CACHE_KINDS];                   /* of each vCPU: records */
    Places places[CACHE_LEVELS], objects[CACHE_LEVELS]; /* of misses; the latter by context_object_at() */
    bool has_objects;
    LineCounts lines; /* with --lines: misses of each level */
    bool is_fast;
    uint64_t left_out; /* with --physical: their address isn't that of memory, or isn't known */
    AnalysisPart part; /* the lines that are its own; what isn't of lines only part 0 counts */
    unsigned groups;   /* of a part: cache_array_groups() of the first level; 0: no use is left out */
} Cache;

/* The result: see AnalysisType. */
void cache_describe(void *data, Report *report);

#endif
