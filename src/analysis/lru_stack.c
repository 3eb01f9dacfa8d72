/* SPDX-License-Identifier: GPL-2.0-or-later */
/* LRU stack distances: see lru_stack.h. */
#include "lru_stack.h"

#include <string.h>
#include <sys/mman.h>

#include "../base/avx2.h"

#define LINE_BYTES 64
#define HUGE_PAGE_BYTES (UINT64_C(2) << 20)
#define FIRST_BITS 7
#define FIRST_WORDS 256u
#define MOST_WORDS (1u << 25)
#define TIMES_PER_KEY 4 /* at least, after times were renumbered */
/* log2 of the times in a node of each level. The numbers of the lower two levels fit into 16 bits. Nodes of the highest
 * level have one parent. */
#define WORD_SHIFT 6
#define NEAR_SHIFT 11
#define FAR_SHIFT 16
#define TOP_SHIFT 22
#define NEAR_SIBLINGS 32u /* in both of the lower levels */
#define FAR_SIBLINGS 64u

#define AHEAD 16 /* how many uses ahead buckets are prefetched */

#define ALWAYS_INLINE inline __attribute__((always_inline)) /* compiled for AVX2, too */

G_STATIC_ASSERT(sizeof(LruBucket) == LINE_BYTES);

/* Zeros, aligned so that no vector of siblings lies in two cache lines. */
static void *make_numbers(gsize count, gsize bytes)
{
    return g_aligned_alloc0(count, bytes, LINE_BYTES);
}

static void make_times(LruStack *stack)
{
    gsize words = stack->words;

    stack->live = g_new0(uint64_t, words);
    stack->near[0] = make_numbers(words, sizeof(uint16_t));
    stack->near[1] = make_numbers(MAX(words >> (NEAR_SHIFT - WORD_SHIFT), NEAR_SIBLINGS), sizeof(uint16_t));
    stack->far[0] = make_numbers(MAX(words >> (FAR_SHIFT - WORD_SHIFT), FAR_SIBLINGS), sizeof(uint32_t));
    stack->far[1] = make_numbers(MAX(words >> (TOP_SHIFT - WORD_SHIFT), 1), sizeof(uint32_t));
}

static void free_times(LruStack *stack)
{
    g_free(stack->live);
    for (unsigned i = 0; i < LRU_STACK_LEVELS; i++) {
        g_aligned_free(stack->near[i]);
        g_aligned_free(stack->far[i]);
    }
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
#ifdef __x86_64__
    stack->has_avx2 = __builtin_cpu_supports("avx2");
#endif
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

/* How many live times are later than this one. */
static inline uint32_t count_later(const LruStack *stack, uint32_t time)
{
    return count_bits(stack->live[time >> WORD_SHIFT] >> (time & 63) >> 1) + stack->near[0][time >> WORD_SHIFT] +
           stack->near[1][time >> NEAR_SHIFT] + stack->far[0][time >> FAR_SHIFT] + stack->far[1][time >> TOP_SHIFT];
}

/* Siblings of a node: adds 1 to the numbers of those from `low` to `high` - 1; or subtracts 1 for those from `high` to
 * `low` - 1. All are looked at, so that there are no branches: this is compiled to vectors. */
typedef void Change(void *numbers, uint32_t node, uint32_t low, uint32_t high);

static ALWAYS_INLINE void change_near(void *numbers, uint32_t node, uint32_t low, uint32_t high)
{
    uint16_t *siblings = (uint16_t *)numbers + node / NEAR_SIBLINGS * NEAR_SIBLINGS;
    int16_t from = (int16_t)low, to = (int16_t)high;

    for (int16_t i = 0; i < (int16_t)NEAR_SIBLINGS; i++)
        siblings[i] = (uint16_t)(siblings[i] + (i < to) - (i < from));
}

static ALWAYS_INLINE void change_far(void *numbers, uint32_t node, uint32_t low, uint32_t high)
{
    uint32_t *siblings = (uint32_t *)numbers + node / FAR_SIBLINGS * FAR_SIBLINGS;
    int32_t from = (int32_t)low, to = (int32_t)high;

    for (int32_t i = 0; i < (int32_t)FAR_SIBLINGS; i++)
        siblings[i] = siblings[i] + (uint32_t)(i < to) - (uint32_t)(i < from);
}

/* Changes the numbers of a node's earlier siblings, as one more time in it is live, or one less. */
static ALWAYS_INLINE void change_earlier(void *numbers, uint32_t node, bool is_live, uint32_t siblings, Change *change)
{
    change(numbers, node, is_live ? 0 : node % siblings, is_live ? node % siblings : 0);
}

/* The same, as a time in the node `from` is no longer live, but one in a later node is. Returns whether both have the
 * same parent: then numbers of higher levels stay as they are. */
static ALWAYS_INLINE bool move(void *numbers, uint32_t from, uint32_t to, uint32_t siblings, Change *change)
{
    bool same = from / siblings == to / siblings;

    if (same) {
        change(numbers, from, from % siblings, to % siblings);
    } else {
        change_earlier(numbers, from, false, siblings, change);
        change_earlier(numbers, to, true, siblings, change);
    }
    return same;
}

static inline void flip(LruStack *stack, uint32_t time)
{
    stack->live[time >> WORD_SHIFT] ^= UINT64_C(1) << (time & 63);
}

/* Makes a time live, or no longer live. */
static ALWAYS_INLINE void change_time(LruStack *stack, uint32_t time, bool is_live)
{
    flip(stack, time);
    change_earlier(stack->near[0], time >> WORD_SHIFT, is_live, NEAR_SIBLINGS, change_near);
    change_earlier(stack->near[1], time >> NEAR_SHIFT, is_live, NEAR_SIBLINGS, change_near);
    change_earlier(stack->far[0], time >> FAR_SHIFT, is_live, FAR_SIBLINGS, change_far);
    for (uint32_t top = 0; top < time >> TOP_SHIFT; top++)
        stack->far[1][top] += is_live ? 1 : UINT32_MAX;
}

/* Makes a later time live instead of another one. */
static ALWAYS_INLINE void move_time(LruStack *stack, uint32_t from, uint32_t to)
{
    flip(stack, from);
    flip(stack, to);
    if (from >> WORD_SHIFT == to >> WORD_SHIFT ||
        move(stack->near[0], from >> WORD_SHIFT, to >> WORD_SHIFT, NEAR_SIBLINGS, change_near) ||
        move(stack->near[1], from >> NEAR_SHIFT, to >> NEAR_SHIFT, NEAR_SIBLINGS, change_near) ||
        move(stack->far[0], from >> FAR_SHIFT, to >> FAR_SHIFT, FAR_SIBLINGS, change_far))
        return;
    for (uint32_t top = from >> TOP_SHIFT; top < to >> TOP_SHIFT; top++)
        stack->far[1][top]++;
}

/* How many of the times 1 to `count` are in later siblings of a node of 1 << `shift` times. */
static uint32_t count_behind(uint32_t count, uint32_t node, unsigned shift, uint32_t siblings)
{
    uint64_t last = ((uint64_t)(node + 1) << shift) - 1,
             end = ((uint64_t)(node / siblings + 1) * siblings << shift) - 1;

    return (uint32_t)(MIN(count, end) - MIN(count, last));
}

/* Makes the times 1 to `count` live. */
static void fill_times(LruStack *stack, uint32_t count)
{
    stack->now = count + 1;
    for (uint32_t word = 0; word <= count >> WORD_SHIFT; word++) {
        uint32_t first = word << WORD_SHIFT;
        uint64_t bits = count - first < 63 ? (UINT64_C(2) << (count - first)) - 1 : UINT64_MAX;

        stack->live[word] = word ? bits : bits & ~UINT64_C(1);
        stack->near[0][word] = (uint16_t)count_behind(count, word, WORD_SHIFT, NEAR_SIBLINGS);
    }
    for (uint32_t node = 0; node <= count >> NEAR_SHIFT; node++)
        stack->near[1][node] = (uint16_t)count_behind(count, node, NEAR_SHIFT, NEAR_SIBLINGS);
    for (uint32_t node = 0; node <= count >> FAR_SHIFT; node++)
        stack->far[0][node] = count_behind(count, node, FAR_SHIFT, FAR_SIBLINGS);
    for (uint32_t node = 0; node <= count >> TOP_SHIFT; node++)
        stack->far[1][node] = count_behind(count, node, TOP_SHIFT, UINT32_MAX);
}

/* Renumbers the times without gaps: each live time becomes the number of live times up to it. */
static __attribute__((noinline)) void renumber(LruStack *stack)
{
    g_autofree uint32_t *before = g_new(uint32_t, stack->words);
    uint32_t sum = 0;

    for (uint32_t word = 0; word < stack->words; word++) {
        before[word] = sum;
        sum += count_bits(stack->live[word]);
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

/* A use of the key that a slot has, or gets if it is free. */
static ALWAYS_INLINE uint64_t use_slot(LruStack *stack, LruBucket *bucket, unsigned slot, uint64_t key)
{
    uint64_t later = LRU_STACK_NEW;

    if (G_LIKELY(bucket->used[slot])) {
        later = count_later(stack, bucket->used[slot]);
        if (!later)
            return 0;
        move_time(stack, bucket->used[slot], stack->now);
    } else {
        bucket->keys[slot] = key;
        stack->count++;
        change_time(stack, stack->now, true);
    }
    bucket->used[slot] = stack->now++;
    return later;
}

static uint64_t use(LruStack *stack, uint64_t key)
{
    unsigned slot;
    LruBucket *bucket = find(stack, key, &slot);

    return use_slot(stack, bucket, slot, key);
}

#ifdef __x86_64__

/* The slots of a bucket, a bit each, that have the key or are free. */
AVX2_INLINE unsigned fitting_slots(const LruBucket *bucket, uint64_t key)
{
    __m256i keys = _mm256_load_si256((const __m256i *)bucket->keys);
    __m128i used = _mm_loadu_si128((const __m128i *)bucket->used);
    __m256i same = _mm256_cmpeq_epi64(keys, _mm256_set1_epi64x((long long)key));
    __m128i unused = _mm_cmpeq_epi32(used, _mm_setzero_si128());
    int first_four = _mm256_movemask_pd(_mm256_castsi256_pd(same)) | _mm_movemask_ps(_mm_castsi128_ps(unused));

    return (unsigned)first_four | (unsigned)(bucket->keys[4] == key || !bucket->used[4]) << 4;
}

/* The same as find(), but in the first two buckets only, which are both looked at, as chance decides in which one the
 * key is. NULL: it is in neither. */
AVX2_INLINE LruBucket *find_avx2(const LruStack *stack, uint64_t key, unsigned *slot)
{
    uint64_t mask = (UINT64_C(1) << stack->bits) - 1;
    LruBucket *first = &stack->buckets[key & mask], *second = &stack->buckets[(key + 1) & mask];
    unsigned fit = fitting_slots(first, key) | fitting_slots(second, key) << LRU_STACK_SLOTS;
    bool in_first = fit & ((1u << LRU_STACK_SLOTS) - 1);

    if (G_UNLIKELY(!fit))
        return NULL;
    *slot = (unsigned)__builtin_ctz(fit) - (in_first ? 0 : LRU_STACK_SLOTS);
    return in_first ? first : second;
}

/* The same as use(), with larger vectors. */
static AVX2 uint64_t use_avx2(LruStack *stack, uint64_t key)
{
    unsigned slot;
    LruBucket *bucket = find_avx2(stack, key, &slot);

    if (G_UNLIKELY(!bucket))
        bucket = find(stack, key, &slot);
    return use_slot(stack, bucket, slot, key);
}

#else
#define use_avx2 use
#endif

/* Before a use. */
static inline void make_room(LruStack *stack)
{
    if (G_UNLIKELY(stack->now >= (stack->words << WORD_SHIFT) - 1))
        renumber(stack);
    if (G_UNLIKELY(20 * stack->count >= 17 * count_slots(stack)))
        grow(stack);
}

uint64_t lru_stack_use(LruStack *stack, uint64_t key)
{
    make_room(stack);
    return stack->has_avx2 ? use_avx2(stack, key) : use(stack, key);
}

/* A key is in the first bucket or in the second one, nearly always. */
static inline void prefetch(const LruStack *stack, uint64_t key)
{
    uint64_t mask = (UINT64_C(1) << stack->bits) - 1;

    __builtin_prefetch(&stack->buckets[key & mask], 1);
    __builtin_prefetch(&stack->buckets[(key + 1) & mask], 1);
}

void lru_stack_use_all(LruStack *stack, const uint64_t *keys, size_t count, uint64_t *distances)
{
    for (size_t i = 0; i < count; i++) {
        if (i + AHEAD < count)
            prefetch(stack, keys[i + AHEAD]);
        distances[i] = lru_stack_use(stack, keys[i]);
    }
}

/* The keys behind it move up, so that they are still found without a mark for the removed one. */
void lru_stack_remove(LruStack *stack, uint64_t key)
{
    uint64_t slots = count_slots(stack), hole;
    unsigned slot;
    LruBucket *bucket = find(stack, key, &slot);

    change_time(stack, bucket->used[slot], false);
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
