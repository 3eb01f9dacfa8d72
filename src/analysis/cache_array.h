/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The set-associative array of lines of a cache or a TLB, and its replacement policies. It holds no data, but a word
 * for each line: the line's number and some flags.
 *
 * LRU and FIFO keep the words of a set in order: the first line is the one that was used, or came, last. The other
 * policies leave words where they are. Tree-PLRU has a bit for each node of a binary tree over the ways (as in
 * Al-Zoubi, Milenkovic and Milenkovic 2004), SRRIP two bits for each line (hit priority; Jaleel et al. 2010). Random
 * numbers are from Marsaglia's xorshift64 (2003) with a fixed seed, so that results can be repeated.
 */
#ifndef MEMORY_TRACER_ANALYSIS_CACHE_ARRAY_H
#define MEMORY_TRACER_ANALYSIS_CACHE_ARRAY_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum { CACHE_LRU, CACHE_PLRU, CACHE_FIFO, CACHE_RANDOM, CACHE_SRRIP, CACHE_POLICIES } CachePolicy;

/* A word: the line's number above these flags. 0: no line. */
#define CACHE_VALID 1u
#define CACHE_DIRTY 2u      /* to be written back */
#define CACHE_PREFETCHED 4u /* and not accessed since */
#define CACHE_SHARED 8u     /* another vCPU may have it, too */
#define CACHE_FLAGS 15u
#define CACHE_FLAG_BITS 4

#define CACHE_MAX_PLRU_WAYS 64
#define CACHE_NOT_FOUND SIZE_MAX
#define CACHE_GROUPS_MOST 128

typedef struct CacheArray {
    uint64_t *words;     /* `ways` for each set */
    uint64_t sets, mask; /* mask: sets - 1 if that is a power of two, else 0 and modulo is used */
    size_t ways;
    unsigned ways_shift; /* if that is a power of two */
    CachePolicy policy;
    bool is_ordered; /* LRU and FIFO */
    bool has_lanes;  /* LRU: hits are found by cache_lanes.h */
    uint64_t *trees; /* PLRU: a bit for each node, the root is bit 1, the children of i are 2i and 2i + 1 */
    uint8_t *ages;   /* SRRIP: each line's re-reference prediction, 0 (soon) to 3 (late) */
    uint64_t random; /* state of the generator */
} CacheArray;

/* PLRU needs a power of two of at most CACHE_MAX_PLRU_WAYS ways. */
CacheArray *cache_array_new(uint64_t sets, size_t ways, CachePolicy policy);
void cache_array_free(CacheArray *array);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CacheArray, cache_array_free)

static inline uint64_t cache_word(uint64_t line)
{
    return line << CACHE_FLAG_BITS | CACHE_VALID;
}

static inline uint64_t cache_word_line(uint64_t word)
{
    return word >> CACHE_FLAG_BITS;
}

/* The index in `words` where the line's set begins. */
static inline size_t cache_array_set(const CacheArray *array, uint64_t line)
{
    return (array->mask || array->sets == 1 ? line & array->mask : line % array->sets) * array->ways;
}

/* The line's index in `words`, or CACHE_NOT_FOUND. Changes nothing. */
static inline size_t cache_array_find(const CacheArray *array, uint64_t line)
{
    size_t set = cache_array_set(array, line);
    const uint64_t *words = array->words + set;
    uint64_t wanted = cache_word(line);

    for (size_t way = 0; way < array->ways; way++)
        if ((words[way] & ~(uint64_t)(CACHE_FLAGS & ~CACHE_VALID)) == wanted)
            return set + way;
    return CACHE_NOT_FOUND;
}

/* If the line is there, with no other flag than CACHE_DIRTY, does what a hit does and returns true. The first line of
 * an ordered set, where most hits are, is checked first. `array` may be a copy of the struct. */
bool cache_array_hits_anywhere(const CacheArray *array, uint64_t line, bool is_store);
static inline bool cache_array_hits(const CacheArray *array, uint64_t line, bool is_store)
{
    uint64_t *word = array->words + cache_array_set(array, line);

    if (!array->is_ordered || (*word | CACHE_DIRTY) != (cache_word(line) | CACHE_DIRTY))
        return cache_array_hits_anywhere(array, line, is_store);
    *word |= is_store ? CACHE_DIRTY : 0;
    return true;
}

/* For stretches of a trace, before which others come that aren't known (cache_stretch.c). */

/* Whether an array is so small that most of what happens in a stretch is certain. */
bool cache_array_is_small(uint64_t sets, size_t ways);
/* Of an LRU array that was empty when a stretch of accesses began: what it has is in the true array, too, before any
 * line that wasn't used since. If it has the line (a store: with CACHE_DIRTY), does what a hit does, and returns true:
 * whatever came before, that is all that happens. */
bool cache_array_hits_again_anywhere(const CacheArray *array, uint64_t line, bool is_store);
static inline bool cache_array_hits_again(const CacheArray *array, uint64_t line, bool is_store)
{
    uint64_t word = array->words[cache_array_set(array, line)];

    return (word | (is_store ? 0 : CACHE_DIRTY)) == (cache_word(line) | CACHE_DIRTY) ||
           cache_array_hits_again_anywhere(array, line, is_store);
}
/* Makes a line of an LRU array the next one that is replaced. Its set is full, and loses its order. */
void cache_array_put_last(CacheArray *array, uint64_t line);
/* Puts the lines that another LRU array has first, in the order that they have there. They are in this one, too. */
void cache_array_order_as(CacheArray *array, const CacheArray *other);

/* For leaving out uses that change nothing. A line's group is its lowest bits, as many as tell this power of two of
 * groups apart; all lines of a set are of one group. A line that was used, and none of its group since, is there, and
 * another use of it changes nothing: the policy has done it already, or (FIFO, random) does nothing at a hit. */
unsigned cache_array_groups(uint64_t sets);
/* Whether that holds only for a line that was used twice in a row: with SRRIP, one that came in isn't as young as one
 * that was hit. */
bool cache_array_needs_two_uses(CachePolicy policy);
/* Tells the policy that the line, which is at `slot`, was used. Returns where it is now. */
size_t cache_array_touch(const CacheArray *array, uint64_t line, size_t slot);
/* Inserts a line that isn't there, with these flags beside CACHE_VALID. Returns the word of the line that was replaced;
 * 0 if there was room. */
uint64_t cache_array_insert(CacheArray *array, uint64_t line, unsigned flags);
/* Removes the line, whose index is `slot`. */
void cache_array_remove(CacheArray *array, uint64_t line, size_t slot);

#endif
