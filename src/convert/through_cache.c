/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Accesses through caches: see through_cache.h. */
#include "through_cache.h"

#include <string.h>

#include "../analysis/analysis.h"
#include "../analysis/cache_feed.h"
#include "../analysis/cache_options.h"
#include "../base/error.h"

#define MOST_LINE_SHIFT 7 /* what three bits of a record's info can tell */
#define STORE 32          /* in a record's info */

struct ThroughCache {
    CacheDesign design;
    CacheFeed *feed;
    ThroughCacheWrite write;
    void *data;
    const Access *cause; /* of the access that is simulated */
    GError **error;
};

static bool parse(const char *settings, CacheDesign *design, GError **error)
{
    bool is_default = !strcmp(settings, "default");
    g_autofree char *word = g_strconcat(is_default ? "cache" : "cache:", is_default ? "" : settings, NULL);
    g_autoptr(AnalysisRequest) request = analysis_request_parse(word, error);
    const CacheOptions *options = request ? analysis_request_options(request) : NULL;

    if (!options)
        return false;
    if (options->physical)
        return mt_fail_usage(error, "--through-cache has the addresses that are written: use convert's --physical");
    if (!cache_options_design(options, design, error))
        return false;
    design->classify = false;
    return design->line_shift <= MOST_LINE_SHIFT ||
           mt_fail_usage(error, "--through-cache can have lines of at most %u bytes", 1u << MOST_LINE_SHIFT);
}

/* The caches' next level is memory. */
static bool use_memory(void *data, uint64_t line, bool is_write)
{
    ThroughCache *through = data;
    unsigned shift = through->design.line_shift;
    Access access = *through->cause;

    access.address = access.virt_addr = line << shift;
    access.size = 1u << shift;
    access.info = (uint8_t)((access.info & 0xc0) | shift | (is_write ? STORE : 0));
    return through->write(through->data, &access, through->error);
}

ThroughCache *through_cache_new(const char *settings, ThroughCacheWrite write, void *data, GError **error)
{
    g_autoptr(ThroughCache) through = g_new0(ThroughCache, 1);

    if (!parse(settings, &through->design, error))
        return NULL;
    through->feed = cache_feed_new(&through->design);
    through->feed->model->memory = use_memory;
    through->feed->model->memory_data = through;
    through->write = write;
    through->data = data;
    return g_steal_pointer(&through);
}

void through_cache_free(ThroughCache *through)
{
    if (!through)
        return;
    cache_feed_free(through->feed);
    g_free(through);
}

bool through_cache_add(ThroughCache *through, const Access *access, GError **error)
{
    CacheFeedLines lines = cache_feed_lines(through->feed, access->address, access->size);
    const uint32_t *instruction = access->batch->instruction;
    unsigned cpl = mt_cpl(access->info);

    through->cause = access;
    through->error = error;
    for (uint64_t i = 0; i < lines.count; i++)
        cache_feed_access(through->feed, access->vcpu, cache_feed_line(&lines, i), mt_is_store(access->info), cpl);
    if (through->design.prefetch == CACHE_STRIDE)
        cache_feed_prefetch_stride(through->feed, access->vcpu, instruction ? instruction[access->i] : 0,
                                   access->address, cpl);
    return !through->feed->model->memory_failed;
}

uint64_t through_cache_reads(const ThroughCache *through)
{
    return through->feed->model->memory_reads;
}

uint64_t through_cache_writes(const ThroughCache *through)
{
    return through->feed->model->memory_writes;
}
