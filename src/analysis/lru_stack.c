/* SPDX-License-Identifier: GPL-2.0-or-later */
/* LRU stack distances: see lru_stack.h. */
#include "lru_stack.h"

#include <string.h>

#define FIRST_BITS 10
#define FIRST_WORDS 64u
#define TIMES_PER_KEY 4 /* at least, after times were numbered anew */
#define WORD_BITS 64

void lru_stack_init(LruStack *stack)
{
    memset(stack, 0, sizeof *stack);
    stack->bits = FIRST_BITS;
    stack->keys = g_new(uint64_t, 1u << FIRST_BITS);
    stack->used = g_new0(uint32_t, 1u << FIRST_BITS);
    stack->words = FIRST_WORDS;
    stack->live = g_new0(uint64_t, FIRST_WORDS);
    stack->tree = g_new0(uint32_t, FIRST_WORDS + 1);
    stack->now = 1;
}

void lru_stack_clear(LruStack *stack)
{
    g_free(stack->keys);
    g_free(stack->used);
    g_free(stack->live);
    g_free(stack->tree);
}

/* Where the key is, or where it belongs. */
static uint64_t find(const LruStack *stack, uint64_t key)
{
    uint64_t mask = (UINT64_C(1) << stack->bits) - 1, at = key & mask;

    while (stack->used[at] && stack->keys[at] != key)
        at = (at + 1) & mask;
    return at;
}

static void grow(LruStack *stack)
{
    uint64_t *keys = stack->keys, old = UINT64_C(1) << stack->bits;
    uint32_t *used = stack->used;

    stack->bits++;
    stack->keys = g_new(uint64_t, 2 * old);
    stack->used = g_new0(uint32_t, 2 * old);
    for (uint64_t i = 0; i < old; i++)
        if (used[i]) {
            uint64_t at = find(stack, keys[i]);

            stack->keys[at] = keys[i];
            stack->used[at] = used[i];
        }
    g_free(keys);
    g_free(used);
}

static void count_word(LruStack *stack, uint32_t time, uint32_t by)
{
    for (uint32_t i = time / WORD_BITS + 1; i <= stack->words; i += i & -i)
        stack->tree[i] += by;
}

/* How many live times are not later than this one. */
static uint32_t rank(const LruStack *stack, uint32_t time)
{
    uint32_t sum = (uint32_t)__builtin_popcountll(stack->live[time / WORD_BITS] << (WORD_BITS - 1 - time % WORD_BITS));

    for (uint32_t i = time / WORD_BITS; i; i &= i - 1)
        sum += stack->tree[i];
    return sum;
}

/* The first `count` times from 1 on become live. */
static void fill_times(LruStack *stack, uint32_t count)
{
    for (uint32_t time = 1; time <= count; time++)
        stack->live[time / WORD_BITS] |= UINT64_C(1) << time % WORD_BITS;
    for (uint32_t i = 1; i <= stack->words; i++) {
        uint32_t parent = i + (i & -i);

        stack->tree[i] += (uint32_t)__builtin_popcountll(stack->live[i - 1]);
        if (parent <= stack->words)
            stack->tree[parent] += stack->tree[i];
    }
    stack->now = count + 1;
}

/* Numbers the times anew, without gaps. */
static void renumber(LruStack *stack)
{
    for (uint64_t i = 0; i >> stack->bits == 0; i++)
        if (stack->used[i])
            stack->used[i] = rank(stack, stack->used[i]);
    while ((uint64_t)stack->words * WORD_BITS < TIMES_PER_KEY * stack->count && stack->words < 1u << 25)
        stack->words *= 2;
    g_free(stack->live);
    g_free(stack->tree);
    stack->live = g_new0(uint64_t, stack->words);
    stack->tree = g_new0(uint32_t, stack->words + 1);
    fill_times(stack, (uint32_t)stack->count);
}

uint64_t lru_stack_use(LruStack *stack, uint64_t key)
{
    uint64_t at, distance = LRU_STACK_NEW;
    uint32_t before;

    if (stack->now >= stack->words * WORD_BITS - 1)
        renumber(stack);
    if (5 * stack->count >= UINT64_C(4) << stack->bits)
        grow(stack);
    at = find(stack, key);
    before = stack->used[at];
    if (before) {
        distance = stack->count - rank(stack, before);
        if (!distance)
            return 0;
        stack->live[before / WORD_BITS] &= ~(UINT64_C(1) << before % WORD_BITS);
        count_word(stack, before, (uint32_t)-1);
    } else {
        stack->keys[at] = key;
        stack->count++;
    }
    stack->used[at] = stack->now;
    stack->live[stack->now / WORD_BITS] |= UINT64_C(1) << stack->now % WORD_BITS;
    count_word(stack, stack->now, 1);
    stack->now++;
    return distance;
}

/* What lies behind moves up, so that it is still found without marks of what was removed. */
void lru_stack_remove(LruStack *stack, uint64_t key)
{
    uint64_t mask = (UINT64_C(1) << stack->bits) - 1, hole = find(stack, key);
    uint32_t time = stack->used[hole];

    stack->live[time / WORD_BITS] &= ~(UINT64_C(1) << time % WORD_BITS);
    count_word(stack, time, (uint32_t)-1);
    stack->count--;
    for (uint64_t at = (hole + 1) & mask; stack->used[at]; at = (at + 1) & mask)
        if (((at - stack->keys[at]) & mask) >= ((at - hole) & mask)) {
            stack->keys[hole] = stack->keys[at];
            stack->used[hole] = stack->used[at];
            hole = at;
        }
    stack->used[hole] = 0;
}

GArray *lru_stack_list(const LruStack *stack)
{
    GArray *list = g_array_sized_new(FALSE, FALSE, sizeof(uint64_t), (guint)stack->count);

    g_array_set_size(list, (guint)stack->count);
    for (uint64_t i = 0; i >> stack->bits == 0; i++)
        if (stack->used[i])
            g_array_index(list, uint64_t, rank(stack, stack->used[i]) - 1) = stack->keys[i];
    return list;
}
