/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LRU stack distances: how many other keys were used since a key was used last (Mattson et al., "Evaluation Techniques
 * for Storage Hierarchies", 1970). Exact. A hash table knows when each key was used last, and an order statistic over
 * these times how many are later (Bennett and Kruskal, "LRU Stack Processing", 1975): here a bit for each time, and a
 * Fenwick tree (1994) over the words of bits. Times are numbered anew when they run out.
 *
 * Memory: 15 to 30 bytes for each key in the table, at most 2 for its times; 47 while the table grows.
 */
#ifndef MEMORY_TRACER_ANALYSIS_LRU_STACK_H
#define MEMORY_TRACER_ANALYSIS_LRU_STACK_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define LRU_STACK_NEW UINT64_MAX       /* the key wasn't there */
#define LRU_STACK_MOST_KEYS (1u << 30) /* times have 32 bits */

typedef struct LruStack {
    uint64_t *keys; /* open addressing, linear probing */
    uint32_t *used; /* when, beside each; 0: free */
    unsigned bits;  /* 1 << bits of them */
    uint64_t count; /* keys */
    uint64_t *live; /* a bit for each time that is some key's */
    uint32_t *tree; /* Fenwick, from 1 on: bits in words of `live` */
    uint32_t words; /* a power of two */
    uint32_t now;   /* the next time */
} LruStack;

void lru_stack_init(LruStack *stack);
void lru_stack_clear(LruStack *stack);
/* Uses a key, which must be well mixed in its lower bits. Returns the number of other keys used since, or
 * LRU_STACK_NEW. There may be up to LRU_STACK_MOST_KEYS. */
uint64_t lru_stack_use(LruStack *stack, uint64_t key);
/* As if it had never been used. It must be there. */
void lru_stack_remove(LruStack *stack, uint64_t key);
/* All keys (uint64_t), the one that was used longest ago first; to be unreferenced. */
GArray *lru_stack_list(const LruStack *stack);

#endif
