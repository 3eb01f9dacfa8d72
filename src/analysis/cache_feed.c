/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From records to a cache model: see cache_feed.h. */
#include "cache_feed.h"

CacheFeed *cache_feed_new(const CacheDesign *design)
{
    CacheFeed *feed = g_new0(CacheFeed, 1);

    feed->model = cache_model_new(design);
    return feed;
}

void cache_feed_free(CacheFeed *feed)
{
    if (!feed)
        return;
    for (unsigned vcpu = 0; vcpu < CACHE_MAX_VCPUS; vcpu++)
        stride_prefetcher_clear(&feed->strides[vcpu]);
    cache_model_free(feed->model);
    g_free(feed);
}

unsigned cache_feed_access(CacheFeed *feed, unsigned vcpu, uint64_t line, bool is_store, unsigned cpl)
{
    return cache_model_access(feed->model, cache_model_core(feed->model, vcpu), line, is_store, cpl);
}

void cache_feed_prefetch_stride(CacheFeed *feed, unsigned vcpu, uint32_t instruction, uint64_t address, unsigned cpl)
{
    uint64_t next, line;

    if (!stride_prefetcher_predict(&feed->strides[vcpu % CACHE_MAX_VCPUS], instruction, address, &next))
        return;
    line = next >> feed->model->design.line_shift;
    if (line != address >> feed->model->design.line_shift)
        cache_model_prefetch(feed->model, cache_model_core(feed->model, vcpu), line, cpl);
}
