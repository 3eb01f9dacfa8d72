/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options of caches, and the design that they describe, together with a machine (cache_machines.h). */
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

/* The design that the options describe. False with a usage error if they don't describe any. */
bool cache_options_design(const CacheOptions *options, CacheDesign *design, GError **error);
/* The policy of this name ("lru" and so on); false if there is none. */
bool cache_options_parse_policy(const char *word, CachePolicy *policy);
const char *cache_policy_name(CachePolicy policy);

#endif
