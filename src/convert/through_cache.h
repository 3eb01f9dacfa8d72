/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sends accesses through simulated caches, and tells what reaches memory: for `convert --through-cache`. */
#ifndef MEMORY_TRACER_CONVERT_THROUGH_CACHE_H
#define MEMORY_TRACER_CONVERT_THROUGH_CACHE_H

#include "convert.h"

typedef struct ThroughCache ThroughCache;

/* Called for each line that is read from memory or written to it. `access` is a copy of the access that caused this,
 * with the line's address and size, and as a load or a store. */
typedef bool (*ThroughCacheWrite)(void *data, const Access *access, GError **error);

/* `settings`: the options of the analysis `cache` (what follows its colon), or "default". Lines have at most 128 bytes,
 * the most that a record can express. NULL with a usage error if the settings are wrong. */
ThroughCache *through_cache_new(const char *settings, ThroughCacheWrite write, void *data, GError **error);
void through_cache_free(ThroughCache *through);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ThroughCache, through_cache_free)

/* False with an error if writing has failed. */
bool through_cache_add(ThroughCache *through, const Access *access, GError **error);
/* How many lines were read and written. */
uint64_t through_cache_reads(const ThroughCache *through);
uint64_t through_cache_writes(const ThroughCache *through);

#endif
