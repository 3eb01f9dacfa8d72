/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Accesses through caches: what memory gets of them, for `memory_tracer convert --through-cache`. */
#ifndef MEMORY_TRACER_CONVERT_THROUGH_CACHE_H
#define MEMORY_TRACER_CONVERT_THROUGH_CACHE_H

#include "convert.h"

typedef struct ThroughCache ThroughCache;

/* Called for each line that memory gives or gets: an access as the one that caused it, but for its address, size and
 * whether it is a store. */
typedef bool (*ThroughCacheWrite)(void *data, const Access *access, GError **error);

/* `settings`: what the analysis `cache` has behind its colon, or "default". Lines have at most 128 bytes, the most that
 * records can tell. NULL with a usage error if that is no cache. */
ThroughCache *through_cache_new(const char *settings, ThroughCacheWrite write, void *data, GError **error);
void through_cache_free(ThroughCache *through);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ThroughCache, through_cache_free)

/* False with an error if writing has failed. */
bool through_cache_add(ThroughCache *through, const Access *access, GError **error);
/* How many lines were read and written. */
uint64_t through_cache_reads(const ThroughCache *through);
uint64_t through_cache_writes(const ThroughCache *through);

#endif
