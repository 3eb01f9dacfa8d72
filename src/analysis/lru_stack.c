/* SPDX-License-Identifier: GPL-2.0-or-later */
/* LRU stack distances: see lru_stack.h. */
#include "lru_stack.h"

#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE_BYTES (UINT64_C(2) << 20)
#define FIRST_BITS 7
#define FIRST_WORDS 256u
#define MOST_WORDS (1u << 25)
#define TIMES_PER_KEY 4 /* at least, after times were renumbered */
#define WORD_SHIFT 6    /* log2 of the times in a word */
#define SUM_SHIFT 6     /* log2 of the numbers that one sum of the next level adds up */
#define LOWEST_SUM (WORD_SHIFT + SUM_SHIFT)
#define NEAR_WORDS 4 /* up to this many words are counted without sums */

G_STATIC_ASSERT(sizeof(LruBucket) == 64);

static void make_times(LruStack *stack)
{
    uint64_t times = (uint64_t)stack->words << WORD_SHIFT;

    stack->live = g_new0(uint64_t, stack->words);
    stack->in_word = g_new0(uint8_t, stack->words);
    for (unsigned level = 0; level < LRU_STACK_LEVELS; level++)
        stack->sums[level] = g_new0(uint32_t, (times >> (LOWEST_SUM + SUM_SHIFT * level)) + 1);
}

static void free_times(LruStack *stack)
{
    g_free(stack->live);
    g_free(stack->in_word);
    for (unsigned level = 0; level < LRU_STACK_LEVELS; level++)
        g_free(stack->sums[level]);
}

/* A large table is used at random all over: with small pages, each use would miss the processor's TLB. It has no less
 * memory with them, as all of it is written to. */
static LruBucket *make_buckets(unsigned bits)
{
    gsize bytes = sizeof(LruBucket) << bits;
    LruBucket *buckets = g_aligned_alloc((gsize)1 << bits, sizeof(LruBucket),
                                         bytes < HUGE_PAGE_BYTES ? sizeof(LruBucket) : HUGE_PAGE_BYTES);

    if (bytes >= HUGE_PAGE_BYTES)
        madvise(buckets, bytes, MADV_HUGEPAGE); /* if there are none, they stay small */
    return memset(buckets, 0, bytes);
}

void lru_stack_init(LruStack *stack)
{
    memset(stack, 0, sizeof *stack);
    stack->bits = FIRST_BITS;
    stack->buckets = make_buckets(FIRST_BITS);
    stack->words = FIRST_WORDS;
    make_times(stack);
    stack->now = 1;
}

void lru_stack_clear(LruStack *stack)
{
    g_aligned_free(stack->buckets);
    free_times(stack);
}

/* The table. */

/* The key of a slot, by the slot's number in the whole table. */
static uint64_t *key_at(const LruStack *stack, uint64_t slot)
{
    return &stack->buckets[slot / LRU_STACK_SLOTS].keys[slot % LRU_STACK_SLOTS];
}

static uint32_t *used_at(const LruStack *stack, uint64_t slot)
{
    return &stack->buckets[slot / LRU_STACK_SLOTS].used[slot % LRU_STACK_SLOTS];
}

static uint64_t count_slots(const LruStack *stack)
{
    return (uint64_t)LRU_STACK_SLOTS << stack->bits;
}

/* The bucket and the slot that have the key, or that it would get. */
static inline LruBucket *find(const LruStack *stack, uint64_t key, unsigned *slot)
{
    uint64_t mask = (UINT64_C(1) << stack->bits) - 1;

    for (uint64_t at = key & mask;; at = (at + 1) & mask) {
        LruBucket *bucket = &stack->buckets[at];

        for (unsigned i = 0; i < LRU_STACK_SLOTS; i++)
            if (bucket->keys[i] == key || !bucket->used[i]) {
                *slot = i;
                return bucket;
            }
    }
}

static void grow(LruStack *stack)
{
    LruStack old = *stack;

    stack->buckets = make_buckets(++stack->bits);
    for (uint64_t i = 0; i < count_slots(&old); i++) {
        unsigned slot;
        LruBucket *bucket;

        if (!*used_at(&old, i))
            continue;
        bucket = find(stack, *key_at(&old, i), &slot);
        bucket->keys[slot] = *key_at(&old, i);
        bucket->used[slot] = *used_at(&old, i);
    }
    g_aligned_free(old.buckets);
}

/* Times. */

/* How many bits of a word are set (Wegner 1960, as in Warren, "Hacker's Delight", 2002). Not all processors that this
 * is built for have an instruction for it. */
static inline uint32_t count_bits(uint64_t word)
{
    word -= word >> 1 & UINT64_C(0x5555555555555555);
    word = (word & UINT64_C(0x3333333333333333)) + (word >> 2 & UINT64_C(0x3333333333333333));
    word = (word + (word >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (uint32_t)(word * UINT64_C(0x0101010101010101) >> 56);
}

/* The sum of the bytes `first` to 63 of 64, eight at a time; their lanes of 16 bits hold what eight words of bytes of
 * at most 64 come to. */
static inline uint32_t add_bytes(const uint8_t *bytes, unsigned first)
{
    const uint64_t lanes = UINT64_C(0x00ff00ff00ff00ff);
    uint64_t sum = 0, word;

    for (unsigned i = first & ~7u; i < 64; i += 8) {
        memcpy(&word, bytes + i, sizeof word);
        if (i < first)
            word = word >> 8 * (first - i) << 8 * (first - i); /* the host is little-endian */
        sum += (word & lanes) + (word >> 8 & lanes);
    }
    return (uint32_t)(sum * UINT64_C(0x0001000100010001) >> 48);
}

/* How many live times are later than this one. */
static inline uint32_t count_later(const LruStack *stack, uint32_t time)
{
    uint32_t word = time >> WORD_SHIFT, later = count_bits(stack->live[word] >> (time & 63) >> 1);
    uint32_t last_word = stack->now >> WORD_SHIFT;

    if (last_word - word < NEAR_WORDS) {
        for (uint32_t i = word + 1; i <= last_word; i++)
            later += count_bits(stack->live[i]);
        return later;
    }
    later += add_bytes(stack->in_word + (word & ~63u), (word & 63) + 1);
    for (unsigned level = 0; level < LRU_STACK_LEVELS; level++) {
        uint32_t first = (time >> (LOWEST_SUM + SUM_SHIFT * level)) + 1;
        uint32_t last = stack->now >> (LOWEST_SUM + SUM_SHIFT * level);

        if (level + 1 < LRU_STACK_LEVELS)
            last = MIN(last, (first - 1) | 63);
        for (uint32_t i = first; i <= last; i++)
            later += stack->sums[level][i];
    }
    return later;
}

static inline void add_time(LruStack *stack, uint32_t time, int by)
{
    uint32_t word = time >> WORD_SHIFT;

    stack->live[word] ^= UINT64_C(1) << (time & 63);
    stack->in_word[word] = (uint8_t)(stack->in_word[word] + by);
    for (unsigned level = 0; level < LRU_STACK_LEVELS; level++)
        stack->sums[level][time >> (LOWEST_SUM + SUM_SHIFT * level)] += (uint32_t)by;
}

/* Makes the times 1 to `count` live. */
static void fill_times(LruStack *stack, uint32_t count)
{
    stack->now = count + 1;
    for (uint32_t word = 0; word <= count >> WORD_SHIFT; word++) {
        uint32_t first = word << WORD_SHIFT;
        uint64_t bits = count - first < 63 ? (UINT64_C(2) << (count - first)) - 1 : UINT64_MAX;

        stack->live[word] = word ? bits : bits & ~UINT64_C(1);
        stack->in_word[word] = (uint8_t)count_bits(stack->live[word]);
        for (unsigned level = 0; level < LRU_STACK_LEVELS; level++)
            stack->sums[level][first >> (LOWEST_SUM + SUM_SHIFT * level)] += stack->in_word[word];
    }
}

/* Renumbers the times without gaps: each live time becomes the number of live times up to it. */
static __attribute__((noinline)) void renumber(LruStack *stack)
{
    g_autofree uint32_t *before = g_new(uint32_t, stack->words);
    uint32_t sum = 0;

    for (uint32_t word = 0; word < stack->words; word++) {
        before[word] = sum;
        sum += stack->in_word[word];
    }
    for (uint64_t i = 0; i >> stack->bits == 0; i++)
        for (unsigned slot = 0; slot < LRU_STACK_SLOTS; slot++) {
            uint32_t *used = &stack->buckets[i].used[slot];

            if (*used)
                *used =
                    before[*used >> WORD_SHIFT] + count_bits(stack->live[*used >> WORD_SHIFT] << (63 - (*used & 63)));
        }
    free_times(stack);
    while ((uint64_t)stack->words << WORD_SHIFT < TIMES_PER_KEY * stack->count && stack->words < MOST_WORDS)
        stack->words *= 2;
    make_times(stack);
    fill_times(stack, (uint32_t)stack->count);
}

/* Uses. */

uint64_t lru_stack_use(LruStack *stack, uint64_t key)
{
    uint64_t distance = LRU_STACK_NEW;
    LruBucket *bucket;
    unsigned slot;

    if (G_UNLIKELY(stack->now >= (stack->words << WORD_SHIFT) - 1))
        renumber(stack);
    if (G_UNLIKELY(20 * stack->count >= 17 * count_slots(stack)))
        grow(stack);
    bucket = find(stack, key, &slot);
    if (G_LIKELY(bucket->used[slot])) {
        distance = count_later(stack, bucket->used[slot]);
        if (!distance)
            return 0;
        add_time(stack, bucket->used[slot], -1);
    } else {
        bucket->keys[slot] = key;
        stack->count++;
    }
    bucket->used[slot] = stack->now;
    add_time(stack, stack->now, 1);
    stack->now++;
    return distance;
}

/* The keys behind it move up, so that they are still found without a mark for the removed one. */
void lru_stack_remove(LruStack *stack, uint64_t key)
{
    uint64_t slots = count_slots(stack), hole;
    unsigned slot;
    LruBucket *bucket = find(stack, key, &slot);

    add_time(stack, bucket->used[slot], -1);
    stack->count--;
    hole = (uint64_t)(bucket - stack->buckets) * LRU_STACK_SLOTS + slot;
    for (uint64_t at = (hole + 1) % slots; *used_at(stack, at); at = (at + 1) % slots) {
        uint64_t home = (*key_at(stack, at) & ((UINT64_C(1) << stack->bits) - 1)) * LRU_STACK_SLOTS;

        if ((at + slots - home) % slots < (at + slots - hole) % slots)
            continue;
        *key_at(stack, hole) = *key_at(stack, at);
        *used_at(stack, hole) = *used_at(stack, at);
        hole = at;
    }
    *used_at(stack, hole) = 0;
}

GArray *lru_stack_list(const LruStack *stack)
{
    GArray *list = g_array_sized_new(FALSE, FALSE, sizeof(uint64_t), (guint)stack->count);

    g_array_set_size(list, (guint)stack->count);
    for (uint64_t i = 0; i < count_slots(stack); i++)
        if (*used_at(stack, i))
            g_array_index(list, uint64_t, stack->count - count_later(stack, *used_at(stack, i)) - 1) =
                *key_at(stack, i);
    return list;
}
