/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From records to a cache model: splits accesses into lines, and has a prefetcher that knows instructions. */
#ifndef MEMORY_TRACER_ANALYSIS_CACHE_FEED_H
#define MEMORY_TRACER_ANALYSIS_CACHE_FEED_H

#include "cache_model.h"
#include "stride_prefetcher.h"

#define CACHE_PAGE_BYTES 4096

typedef struct CacheFeed {
    CacheModel *model;
    StridePrefetcher strides[CACHE_MAX_VCPUS];
} CacheFeed;

CacheFeed *cache_feed_new(const CacheDesign *design);
void cache_feed_free(CacheFeed *feed);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CacheFeed, cache_feed_free)

/* The lines that an access touches. Addresses wrap around. */
typedef struct CacheFeedLines {
    uint64_t first, count, last_possible;
} CacheFeedLines;

static inline CacheFeedLines cache_feed_lines(const CacheFeed *feed, uint64_t address, unsigned size)
{
    unsigned shift = feed->model->design.line_shift;
    uint64_t last_possible = UINT64_MAX >> shift, first = address >> shift, last = (address + size - 1) >> shift;

    return (CacheFeedLines){ first, ((last - first) & last_possible) + 1, last_possible };
}

static inline uint64_t cache_feed_line(const CacheFeedLines *lines, uint64_t i)
{
    return (lines->first + i) & lines->last_possible;
}

/* How many of the access's bytes are in the 4-KiB page of its first byte. */
static inline unsigned cache_feed_in_page(uint64_t address, unsigned size)
{
    return MIN(size, CACHE_PAGE_BYTES - (unsigned)(address % CACHE_PAGE_BYTES));
}

/* Simulates an access to one line. Returns a bit for each level that it missed. */
unsigned cache_feed_access(CacheFeed *feed, unsigned vcpu, uint64_t line, bool is_store, unsigned cpl);
/* With CACHE_STRIDE, to be called after each access: prefetches the line that the instruction is predicted to access
 * next. */
void cache_feed_prefetch_stride(CacheFeed *feed, unsigned vcpu, uint32_t instruction, uint64_t address, unsigned cpl);

#endif
