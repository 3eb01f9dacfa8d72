/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of `cache`: cache.c counts, cache_result.c describes the result. */
#ifndef MEMORY_TRACER_ANALYSIS_CACHE_PRIVATE_H
#define MEMORY_TRACER_ANALYSIS_CACHE_PRIVATE_H

#include "cache.h"
#include "cache_feed.h"
#include "cache_options.h"
#include "kind_counts.h"
#include "line_counts.h"
#include "places.h"

/* Records of a batch that missed, for which objects haven't been asked yet. */
#define CACHE_MISSED_AT_ONCE 256
typedef struct {
    uint32_t record[CACHE_MISSED_AT_ONCE];
    uint8_t levels[CACHE_MISSED_AT_ONCE]; /* a bit for each that missed */
    size_t count;
} CacheMissed;

typedef struct {
    const CacheOptions *options;
    const Context *context;
    CacheDesign design;
    CacheFeed *feed;
    KindCounts *kinds;                                  /* of each vCPU: records */
    Places places[CACHE_LEVELS], objects[CACHE_LEVELS]; /* of misses; the latter by context_object_at() */
    bool has_objects;
    CacheMissed missed;
    LineCounts lines; /* with --lines: misses of each level */
    bool is_fast;
    uint64_t left_out; /* with --physical: their address isn't that of memory, or isn't known */
    AnalysisPart part; /* the lines that are its own; what isn't of lines only part 0 counts */
    unsigned groups;   /* if records may be left out: cache_array_groups() of the first level; else 0 */
    bool is_thinned;   /* they have been: see AnalysisType's thin() */
    uint32_t *kept;    /* the records of a batch that aren't left out */
    size_t kept_room;
} Cache;

/* The result: see AnalysisType. */
void cache_describe(void *data, Report *report);

#endif
