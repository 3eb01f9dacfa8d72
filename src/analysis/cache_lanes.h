/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hits of a set in LRU order (cache_array.h), by vectors of the processor's. */
#ifndef MEMORY_TRACER_ANALYSIS_CACHE_LANES_H
#define MEMORY_TRACER_ANALYSIS_CACHE_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether the processor can do it for sets of this many ways. */
bool cache_lanes_work(size_t ways);
/* `words` are those of a set. If one of them, with the bits `any` set, is `wanted`, sets `flags` in it, moves it to the
 * front, and returns true. Else changes nothing. Only if cache_lanes_work(). */
bool cache_lanes_hit(uint64_t *words, size_t ways, uint64_t wanted, uint64_t any, uint64_t flags);
/* Puts a word before those of a set, and returns the last one, which goes. Only if cache_lanes_work(). */
uint64_t cache_lanes_push(uint64_t *words, size_t ways, uint64_t word);

#endif
