/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A set-associative array of lines: see cache_array.h. */
#include "cache_array.h"

#include <string.h>

#include "cache_lanes.h"

#define SEED UINT64_C(88172645463325252)
#define FEW_WAYS 16
#define SMALL (1u << 14) /* lines */
#define AGE_OLDEST 3
#define AGE_NEW 2 /* of a line that came in: it isn't expected soon */

CacheArray *cache_array_new(uint64_t sets, size_t ways, CachePolicy policy)
{
    CacheArray *array = g_new0(CacheArray, 1);

    array->sets = sets;
    array->mask = sets & (sets - 1) ? 0 : sets - 1;
    array->ways = ways;
    array->ways_shift = (unsigned)__builtin_ctzll(ways);
    array->policy = policy;
    array->is_ordered = policy == CACHE_LRU || policy == CACHE_FIFO;
    array->has_lanes = policy == CACHE_LRU && cache_lanes_work(ways);
    array->random = SEED;
    array->words = g_new0(uint64_t, sets * ways);
    if (policy == CACHE_PLRU)
        array->trees = g_new0(uint64_t, sets);
    if (policy == CACHE_SRRIP)
        array->ages = g_new0(uint8_t, sets * ways);
    return array;
}

void cache_array_free(CacheArray *array)
{
    if (!array)
        return;
    g_free(array->words);
    g_free(array->trees);
    g_free(array->ages);
    g_free(array);
}

/* Each bit on the path from the root says which half is replaced next: sets them to the halves without the line. */
static void point_away(const CacheArray *array, size_t set, size_t way)
{
    uint64_t *tree = &array->trees[set >> array->ways_shift];
    size_t node = 1;

    for (size_t half = array->ways / 2; half; half /= 2) {
        bool right = way & half;

        *tree = right ? *tree & ~(UINT64_C(1) << node) : *tree | UINT64_C(1) << node;
        node = 2 * node + right;
    }
}

static size_t pointed_at(const CacheArray *array, size_t set)
{
    uint64_t tree = array->trees[set >> array->ways_shift];
    size_t node = 1;

    while (node < array->ways)
        node = 2 * node + (tree >> node & 1);
    return set + node - array->ways;
}

/* Ages all lines until one has the greatest age, and returns the first such line. */
static size_t find_oldest(CacheArray *array, size_t set)
{
    uint8_t *ages = array->ages + set, greatest = 0;
    size_t found = 0;

    for (size_t way = 0; way < array->ways; way++)
        if (ages[way] > greatest || !way) {
            greatest = ages[way];
            found = way;
        }
    for (size_t way = 0; way < array->ways; way++)
        ages[way] = (uint8_t)(ages[way] + AGE_OLDEST - greatest);
    return set + found;
}

static size_t choose_any(CacheArray *array, size_t set)
{
    array->random ^= array->random << 13;
    array->random ^= array->random >> 7;
    array->random ^= array->random << 17;
    return set + (size_t)(array->random % array->ways);
}

/* The index that the next line gets, for policies that leave words where they are. */
static size_t choose(CacheArray *array, size_t set)
{
    for (size_t way = 0; way < array->ways; way++)
        if (!array->words[set + way])
            return set + way;
    switch (array->policy) {
    case CACHE_PLRU:
        return pointed_at(array, set);
    case CACHE_SRRIP:
        return find_oldest(array, set);
    default:
        return choose_any(array, set);
    }
}

static void move_to_front(uint64_t *words, size_t way)
{
    uint64_t word = words[way];

    for (; way; way--)
        words[way] = words[way - 1];
    words[0] = word;
}

unsigned cache_array_groups(uint64_t sets)
{
    return (unsigned)MIN(sets & -sets, CACHE_GROUPS_MOST);
}

bool cache_array_needs_two_uses(CachePolicy policy)
{
    return policy == CACHE_SRRIP;
}

size_t cache_array_touch(const CacheArray *array, uint64_t line, size_t slot)
{
    size_t set = cache_array_set(array, line);

    switch (array->policy) {
    case CACHE_LRU:
        move_to_front(array->words + set, slot - set);
        return set;
    case CACHE_PLRU:
        point_away(array, set, slot - set);
        return slot;
    case CACHE_SRRIP:
        array->ages[slot] = 0;
        return slot;
    default:
        return slot;
    }
}

/* Moves the words on while it looks for the line: how far it must look can't be predicted, and this way that is so only
 * once. */
static bool hits_in_order(uint64_t *words, size_t ways, uint64_t wanted, uint64_t any, uint64_t flags)
{
    uint64_t above = words[0];

    if ((above | any) == wanted) {
        words[0] |= flags;
        return true;
    }
    for (size_t way = 1; way < ways; way++) {
        uint64_t word = words[way];

        words[way] = above;
        if ((word | any) == wanted) {
            words[0] = word | flags;
            return true;
        }
        above = word;
    }
    memmove(words, words + 1, (ways - 1) * sizeof *words); /* it isn't there: back again */
    words[ways - 1] = above;
    return false;
}

/* If a word of the line's set, with the bits `any` set, is the line's with CACHE_DIRTY, sets `flags` in it. */
static bool hits(const CacheArray *array, uint64_t line, uint64_t any, uint64_t flags)
{
    uint64_t *words = array->words + cache_array_set(array, line), wanted = cache_word(line) | CACHE_DIRTY;
    size_t way = 0, slot;

    if (array->has_lanes)
        return cache_lanes_hit(words, array->ways, wanted, any, flags);
    if (array->policy == CACHE_LRU && array->ways <= FEW_WAYS)
        return hits_in_order(words, array->ways, wanted, any, flags);
    while (way < array->ways && (words[way] | any) != wanted)
        way++;
    if (way == array->ways)
        return false;
    slot = cache_array_touch(array, line, (size_t)(words - array->words) + way);
    array->words[slot] |= flags;
    return true;
}

bool cache_array_hits_anywhere(const CacheArray *array, uint64_t line, bool is_store)
{
    return hits(array, line, CACHE_DIRTY, is_store ? CACHE_DIRTY : 0);
}

bool cache_array_hits_again_anywhere(const CacheArray *array, uint64_t line, bool is_store)
{
    return hits(array, line, is_store ? 0 : CACHE_DIRTY, 0);
}

uint64_t cache_array_insert(CacheArray *array, uint64_t line, unsigned flags)
{
    size_t set = cache_array_set(array, line), slot;
    uint64_t *words = array->words + set, victim;

    if (array->has_lanes)
        return cache_lanes_push(words, array->ways, cache_word(line) | flags);
    if (array->is_ordered) {
        victim = words[array->ways - 1];
        memmove(words + 1, words, (array->ways - 1) * sizeof *words);
        words[0] = cache_word(line) | flags;
        return victim;
    }
    slot = choose(array, set);
    victim = array->words[slot];
    array->words[slot] = cache_word(line) | flags;
    if (array->policy == CACHE_PLRU)
        point_away(array, set, slot - set);
    if (array->policy == CACHE_SRRIP)
        array->ages[slot] = AGE_NEW;
    return victim;
}

void cache_array_remove(CacheArray *array, uint64_t line, size_t slot)
{
    size_t end = cache_array_set(array, line) + array->ways;

    if (array->is_ordered) /* the lines behind it move up, so that free words come last */
        for (; slot + 1 < end; slot++)
            array->words[slot] = array->words[slot + 1];
    array->words[slot] = 0;
}

bool cache_array_is_small(uint64_t sets, size_t ways)
{
    return sets <= SMALL / ways;
}

void cache_array_put_last(CacheArray *array, uint64_t line)
{
    uint64_t *words = &array->words[cache_array_set(array, line)], word;
    size_t last = array->ways - 1, found = last;

    /* Which of them it is can't be predicted: so without a branch. */
    for (size_t way = 0; way < last; way++)
        found = cache_word_line(words[way]) == line ? way : found;
    word = words[found];
    words[found] = words[last];
    words[last] = word;
}

void cache_array_order_as(CacheArray *array, const CacheArray *other)
{
    for (size_t set = 0; set < other->sets * other->ways; set += other->ways)
        for (size_t way = other->ways; way--;) {
            uint64_t line = cache_word_line(other->words[set + way]);

            if (other->words[set + way])
                cache_array_touch(array, line, cache_array_find(array, line));
        }
}
