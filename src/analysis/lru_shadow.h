/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An infinite cache and a fully associative LRU cache of some size, which are simulated beside a cache to classify its
 * misses (the three Cs; Hill 1987, and Hill and Smith 1989). Memory: some 32 bytes for each distinct line.
 */
#ifndef MEMORY_TRACER_ANALYSIS_LRU_SHADOW_H
#define MEMORY_TRACER_ANALYSIS_LRU_SHADOW_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct LruShadow LruShadow;

/* The fully associative cache has `lines` lines. */
LruShadow *lru_shadow_new(uint64_t lines);
void lru_shadow_free(LruShadow *shadow);

typedef enum { LRU_SHADOW_HIT, LRU_SHADOW_FIRST, LRU_SHADOW_MISS } LruShadowResult;

/* Simulates an access. FIRST: no access to this line came before. MISS: the fully associative cache doesn't have it. */
LruShadowResult lru_shadow_access(LruShadow *shadow, uint64_t line);

#endif
