/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LRU stack distances: how many other keys were used since a key was used last (Mattson et al., "Evaluation Techniques
 * for Storage Hierarchies", 1970). Exact. A hash table has the time of each key's last use, and an order statistic over
 * these times tells how many are later (Bennett and Kruskal, "LRU Stack Processing", 1975). The order statistic is a
 * bit for each time, a sum for each word of bits, and several levels of sums of 64 sums. A use changes one number of
 * each level; a distance adds up some of 64 neighbouring numbers of each level. Times are renumbered when they run out.
 *
 * Memory: 15 to 30 bytes for each key in the table, and at most 1.2 for its times; 47 in all while the table grows.
 */
#ifndef MEMORY_TRACER_ANALYSIS_LRU_STACK_H
#define MEMORY_TRACER_ANALYSIS_LRU_STACK_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define LRU_STACK_NEW UINT64_MAX       /* the key wasn't there */
#define LRU_STACK_MOST_KEYS (1u << 30) /* times have 32 bits */
#define LRU_STACK_SLOTS 5              /* of a bucket */
#define LRU_STACK_LEVELS 3             /* of sums above words */

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
    uint8_t *in_word;                 /* how many bits are set, for each word of `live` */
    uint32_t *sums[LRU_STACK_LEVELS]; /* of 64 words, of 64 of these, and so on */
    uint32_t words;                   /* of `live`: a power of two */
    uint32_t now;                     /* the next time */
} LruStack;

void lru_stack_init(LruStack *stack);
void lru_stack_clear(LruStack *stack);
/* Uses a key, whose lower bits must be well mixed. Returns how many other keys were used since its last use, or
 * LRU_STACK_NEW. There may be up to LRU_STACK_MOST_KEYS keys. */
uint64_t lru_stack_use(LruStack *stack, uint64_t key);
/* Prefetches the entry of a key that will be used soon. Changes nothing. */
static inline void lru_stack_prefetch(const LruStack *stack, uint64_t key)
{
    __builtin_prefetch(&stack->buckets[key & ((UINT64_C(1) << stack->bits) - 1)], 1);
}
/* Removes a key, which must be there. */
void lru_stack_remove(LruStack *stack, uint64_t key);
/* All keys (uint64_t), from the least to the most recently used one. The caller unreferences the array. */
GArray *lru_stack_list(const LruStack *stack);

#endif
