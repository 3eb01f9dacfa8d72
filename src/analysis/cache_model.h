/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hierarchy of caches, for the analysis `cache` and for `convert --through-cache`: up to three levels of one line
 * size, each private to a vCPU or shared by all. memory_tracer-cache(1) defines the figures, and the order of what is
 * done.
 */
#ifndef MEMORY_TRACER_ANALYSIS_CACHE_MODEL_H
#define MEMORY_TRACER_ANALYSIS_CACHE_MODEL_H

#include "cache_array.h"
#include "lru_shadow.h"

#define CACHE_LEVELS 3
#define CACHE_MAX_VCPUS 256
#define CACHE_CPLS 4

/* How a level relates to those above it. */
typedef enum { CACHE_NON_INCLUSIVE, CACHE_INCLUSIVE, CACHE_EXCLUSIVE, CACHE_INCLUSIONS } CacheInclusion;
typedef enum { CACHE_NO_PREFETCH, CACHE_NEXT_LINE, CACHE_STRIDE, CACHE_PREFETCHES } CachePrefetch;

typedef struct CacheLevel {
    const char *name;
    uint64_t bytes, sets; /* bytes = sets * ways * the line's */
    size_t ways;
    bool shared; /* one for all vCPUs */
    CachePolicy policy;
    CacheInclusion inclusion; /* not of the first level */
} CacheLevel;

typedef struct CacheDesign {
    unsigned levels, line_shift;
    CacheLevel level[CACHE_LEVELS];
    bool write_through, no_allocate; /* of the first level */
    CachePrefetch prefetch;          /* into the first level */
    bool classify;
} CacheDesign;

enum { CACHE_COMPULSORY, CACHE_CAPACITY, CACHE_CONFLICT, CACHE_CLASSES };

typedef struct CacheCounts {
    uint64_t accesses, misses, evictions, writebacks, invalidations, prefetches, useful_prefetches;
    uint64_t classes[CACHE_CLASSES]; /* of misses */
} CacheCounts;

/* The caches of a vCPU. */
typedef struct CacheCore {
    CacheArray *array[CACHE_LEVELS];
    LruShadow *shadow[CACHE_LEVELS]; /* or NULL */
    CacheCounts counts[CACHE_LEVELS][CACHE_CPLS];
} CacheCore;

/* Called for each line that is read from memory or written to it. */
typedef bool (*CacheMemory)(void *data, uint64_t line, bool is_write);

typedef struct CacheModel {
    CacheDesign design;
    CacheCore *core[CACHE_MAX_VCPUS]; /* by the vCPU's number; or NULL */
    CacheCore *list[CACHE_MAX_VCPUS]; /* the same without gaps */
    unsigned cores;
    uint64_t memory_reads, memory_writes; /* lines, or stores that no level took */
    CacheMemory memory;                   /* called for each of them; or NULL */
    void *memory_data;
    bool memory_failed; /* it has returned false */
    /* State of the access that is being simulated: */
    CacheCore *current;
    unsigned cpl, missed; /* missed: a bit for each level */
    bool is_demand;       /* not a prefetch */
} CacheModel;

CacheModel *cache_model_new(const CacheDesign *design);
void cache_model_free(CacheModel *model);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CacheModel, cache_model_free)

/* The caches of a vCPU. vCPUs from CACHE_MAX_VCPUS on are taken modulo that. */
CacheCore *cache_model_core(CacheModel *model, unsigned vcpu);

/* Whether cache_array_hits() may be asked first, for the first level: a hit there changes nothing else. */
bool cache_model_has_fast_path(const CacheDesign *design);

/* Simulates an access to one line. Counts misses, and accesses to the lower levels. Accesses to the first level are not
 * counted, because the caller can do that faster for a batch. Returns a bit for each level that it missed. */
unsigned cache_model_access(CacheModel *model, CacheCore *core, uint64_t line, bool is_store, unsigned cpl);
/* Prefetches a line into the first level of the vCPU, if it isn't there. */
void cache_model_prefetch(CacheModel *model, CacheCore *core, uint64_t line, unsigned cpl);
/* Adds the counts of another model of the same design. */
void cache_model_add_counts(CacheModel *model, const CacheModel *other);

#endif
