/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What caches somebody has asked for: options, and machines by name, from a file, or this one. */
#ifndef MEMORY_TRACER_ANALYSIS_CACHE_OPTIONS_H
#define MEMORY_TRACER_ANALYSIS_CACHE_OPTIONS_H

#include <glib.h>

#include "cache_model.h"

#define CACHE_MAX_BYTES (UINT64_C(16) << 30)
#define CACHE_DEFAULT_TOP 10

/* As GOption leaves them; NULL: not given. */
typedef struct CacheOptions {
    char *machine;
    char *level[CACHE_LEVELS]; /* SIZE,WAYS[,LINE] or "none" */
    char *shared, *policy, *write, *inclusion, *prefetch;
    gboolean no_allocate, classify, lines, physical;
    int top;
} CacheOptions;

/* What they mean. False with a usage error if it is no cache. */
bool cache_options_design(const CacheOptions *options, CacheDesign *design, GError **error);
/* "lru" and so on; false if there is no such policy. */
bool cache_options_parse_policy(const char *word, CachePolicy *policy);
const char *cache_policy_name(CachePolicy policy);

#endif
