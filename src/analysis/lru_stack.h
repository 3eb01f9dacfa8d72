/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LRU stack distances: how many other keys were used since a key was used last (Mattson et al., "Evaluation Techniques
 * for Storage Hierarchies", 1970). Exact. A hash table has the time of each key's last use, and an order statistic over
 * these times tells how many are later (Bennett and Kruskal, "LRU Stack Processing", 1975). The order statistic is a
 * bit for each time, and a tree above the words of bits, in which each node has how many times are live in its later
 * siblings. So a distance adds up one number of each level, while a use changes up to 64 neighbouring numbers of a
 * level, which vectors do at once. Times are renumbered when they run out.
 *
 * Memory: 15 to 30 bytes for each key in the table, and at most 1.3 for its times; 47 in all while the table grows.
 */
#ifndef MEMORY_TRACER_ANALYSIS_LRU_STACK_H
#define MEMORY_TRACER_ANALYSIS_LRU_STACK_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define LRU_STACK_NEW UINT64_MAX       /* the key wasn't there */
#define LRU_STACK_MOST_KEYS (1u << 30) /* times have 32 bits */
#define LRU_STACK_SLOTS 5              /* of a bucket */
#define LRU_STACK_LEVELS 2             /* of each kind */

/* Keys and times that are found with one look at memory: a cache line. */
typedef struct LruBucket {
    uint64_t keys[LRU_STACK_SLOTS];
    uint32_t used[LRU_STACK_SLOTS]; /* the times of the last uses; 0: a free slot */
    uint32_t padding;
} LruBucket;

typedef struct LruStack {
    LruBucket *buckets;               /* open addressing: slots are probed one after the other */
    unsigned bits;                    /* 1 << bits of them */
    uint64_t count;                   /* keys */
    uint64_t *live;                   /* a bit for each time: it is a key's last use */
    uint16_t *near[LRU_STACK_LEVELS]; /* live times in later siblings: of each word of `live`, and of 32 words */
    uint32_t *far[LRU_STACK_LEVELS];  /* the same of 32 of these, and of 64 of these */
    uint32_t words;                   /* of `live`: a power of two */
    uint32_t now;                     /* the next time */
    bool has_avx2;                    /* the processor */
} LruStack;

void lru_stack_init(LruStack *stack);
void lru_stack_clear(LruStack *stack);
/* Uses a key, whose lower bits must be well mixed. Returns how many other keys were used since its last use, or
 * LRU_STACK_NEW. There may be up to LRU_STACK_MOST_KEYS keys. */
uint64_t lru_stack_use(LruStack *stack, uint64_t key);
/* Uses keys in this order: `distances` gets what lru_stack_use() would return for each of them. Quicker, as it knows
 * what comes next. */
void lru_stack_use_all(LruStack *stack, const uint64_t *keys, size_t count, uint64_t *distances);
/* Removes a key, which must be there. */
void lru_stack_remove(LruStack *stack, uint64_t key);
/* All keys (uint64_t), from the least to the most recently used one. The caller unreferences the array. */
GArray *lru_stack_list(const LruStack *stack);

#endif
