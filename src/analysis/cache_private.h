/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of `cache`: cache.c counts, cache_stretch.c does so in a stretch of the trace, cache_result.c describes the
 * result. */
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

/* An access to a line in a stretch. What it does isn't known before the caches are that were at the stretch's begin. */
typedef struct {
    uint64_t line;
    uint64_t victim; /* the word of the line that the first level replaces, if that is known; else 0 */
    uint32_t instruction, object;
    uint16_t vcpu;
    uint8_t cpl;
    bool is_store;
} CacheEvent;

typedef struct {
    const CacheOptions *options;
    const Context *context;
    CacheDesign design;
    CacheFeed *feed;
    KindCounts *kinds[CACHE_MAX_VCPUS];                 /* of each vCPU: records; or NULL */
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
    GArray *events; /* CacheEvent: of a stretch before which others come; else NULL */
} Cache;

/* Counts a miss. `missed`: a bit for each level, not 0. */
void cache_count_miss(Cache *cache, unsigned missed, uint64_t line, uint32_t instruction);
void cache_count_object(Cache *cache, unsigned missed, uint32_t object);

/* Whether stretches of a trace can be simulated by themselves, as far as most of what happens in them is certain. */
bool cache_stretch_may_be(const CacheDesign *design);
/* Says that the records are a stretch's (ANALYSIS_IN_TURN), before which others come. */
void cache_stretch_begin(Cache *cache);
/* Adds these records of a batch; those that are left out change nothing. */
void cache_stretch_add(Cache *cache, const struct mt_batch *batch, const uint32_t *records, size_t count);
/* Does in `cache` what the stretch that is the next one did. */
void cache_stretch_replay(Cache *cache, const Cache *stretch);

/* The result: see AnalysisType. */
void cache_describe(void *data, Report *report);

#endif
