/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Judges accesses: see stat_steps.h. There are no branches, because the processor could not predict them. */
#include "stat_steps.h"

#include <string.h>

#include "../../include/memory_tracer/trace.h"
#include "page_table.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

#define LANES 4
_Static_assert(STAT_LINE_BYTES == 1 << LINE_SHIFT, "lines are those of page_table.h");

#define LINE_MASK (~(uint64_t)(STAT_LINE_BYTES - 1))

enum stat_order stat_order(uint64_t stride, uint64_t last_stride, uint64_t bytes, uint64_t accesses)
{
    enum stat_order order = (stride == last_stride) & (accesses >= STAT_BEGINNING) ? STAT_STRIDED : STAT_OTHER;

    order = (stride == bytes) | (stride == -bytes) ? STAT_SEQUENTIAL : order;
    order = stride ? order : STAT_SAME;
    return accesses ? order : STAT_OTHER;
}

#define ORDER_BITS 16

/* The accesses from `begin` to `end` - 1. */
static uint64_t judge_each(const StatSteps *steps, const uint64_t *address, const uint8_t *info, size_t begin,
                           size_t end, uint64_t *by_order)
{
    uint64_t leaving = 0, orders = 0; /* the counts of all orders in a word: memory is slower */

    for (size_t i = begin; i < end; i++) {
        uint64_t stride = steps->stride[i], bytes = mt_size(info[i]);
        uint64_t offset = address[i] - ((address[i] - stride) & LINE_MASK); /* from the line of the last access */
        bool beginning = steps->accesses[i] < STAT_BEGINNING;

        orders += UINT64_C(1) << ORDER_BITS * stat_order(stride, steps->last_stride[i], bytes, steps->accesses[i]);
        leaving |= (uint64_t)((((offset | (offset + bytes - 1)) & LINE_MASK) != 0) | beginning) << i;
    }
    for (int i = 0; i < STAT_ORDERS; i++)
        by_order[i] += orders >> ORDER_BITS * i & ((1u << ORDER_BITS) - 1);
    return leaving;
}

#ifdef __x86_64__

#define AVX2 __attribute__((target("avx2")))

static inline AVX2 __attribute__((always_inline)) __m256i load(const uint64_t *from)
{
    return _mm256_loadu_si256((const __m256i *)from);
}

static inline AVX2 __attribute__((always_inline)) uint64_t sum(__m256i words)
{
    __m128i two = _mm_add_epi64(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));

    return (uint64_t)_mm_extract_epi64(two, 0) + (uint64_t)_mm_extract_epi64(two, 1);
}

static inline AVX2 __attribute__((always_inline)) __m256i sizes_of(const uint8_t *info)
{
    int four;

    memcpy(&four, info, sizeof four);
    return _mm256_sllv_epi64(_mm256_set1_epi64x(1),
                             _mm256_and_si256(_mm256_cvtepu8_epi64(_mm_cvtsi32_si128(four)), _mm256_set1_epi64x(7)));
}

/* The first `count` accesses, a multiple of LANES. A true word has all bits set, which is -1. */
static AVX2 uint64_t judge_lanes(const StatSteps *steps, const uint64_t *address, const uint8_t *info, size_t count,
                                 uint64_t *by_order)
{
    const __m256i zero = _mm256_setzero_si256(), one = _mm256_set1_epi64x(1),
                  line_mask = _mm256_set1_epi64x((int64_t)LINE_MASK);
    __m256i same = zero, sequential = zero, strided = zero;
    uint64_t leaving = 0, orders[STAT_OTHER];

    for (size_t i = 0; i < count; i += LANES) {
        __m256i bytes = sizes_of(&info[i]);
        __m256i at = load(&address[i]), stride = load(&steps->stride[i]);
        __m256i accesses = load(&steps->accesses[i]), first = _mm256_cmpeq_epi64(accesses, zero);
        __m256i beginning = _mm256_cmpgt_epi64(_mm256_set1_epi64x(STAT_BEGINNING), accesses);
        __m256i is_same = _mm256_cmpeq_epi64(stride, zero);
        __m256i is_sequential = _mm256_or_si256(_mm256_cmpeq_epi64(stride, bytes),
                                                _mm256_cmpeq_epi64(stride, _mm256_sub_epi64(zero, bytes)));
        __m256i is_strided = _mm256_andnot_si256(_mm256_or_si256(is_same, is_sequential),
                                                 _mm256_cmpeq_epi64(stride, load(&steps->last_stride[i])));
        __m256i offset = _mm256_sub_epi64(at, _mm256_and_si256(_mm256_sub_epi64(at, stride), line_mask));
        __m256i end = _mm256_add_epi64(offset, _mm256_sub_epi64(bytes, one));
        __m256i stays = _mm256_cmpeq_epi64(_mm256_and_si256(_mm256_or_si256(offset, end), line_mask), zero);
        int staying = _mm256_movemask_pd(_mm256_castsi256_pd(_mm256_andnot_si256(beginning, stays)));

        same = _mm256_sub_epi64(same, _mm256_andnot_si256(first, is_same));
        sequential = _mm256_sub_epi64(sequential, _mm256_andnot_si256(first, is_sequential));
        strided = _mm256_sub_epi64(strided, _mm256_andnot_si256(beginning, is_strided));
        leaving |= (uint64_t)(staying ^ 15) << i;
    }
    orders[STAT_SAME] = sum(same);
    orders[STAT_SEQUENTIAL] = sum(sequential);
    orders[STAT_STRIDED] = sum(strided);
    by_order[STAT_OTHER] += count;
    for (int i = 0; i < STAT_OTHER; i++) {
        by_order[i] += orders[i];
        by_order[STAT_OTHER] -= orders[i];
    }
    return leaving;
}

bool stat_way_works(enum stat_way way)
{
    return way == STAT_SCALAR || (way == STAT_AVX2 && __builtin_cpu_supports("avx2"));
}

uint64_t stat_judge(enum stat_way way, const StatSteps *steps, const uint64_t *address, const uint8_t *info,
                    size_t count, uint64_t *by_order)
{
    size_t whole = way == STAT_AVX2 ? count / LANES * LANES : 0;
    uint64_t leaving = whole ? judge_lanes(steps, address, info, whole, by_order) : 0;

    return leaving | judge_each(steps, address, info, whole, count, by_order);
}

#else

bool stat_way_works(enum stat_way way)
{
    return way == STAT_SCALAR;
}

uint64_t stat_judge(enum stat_way way, const StatSteps *steps, const uint64_t *address, const uint8_t *info,
                    size_t count, uint64_t *by_order)
{
    (void)way;
    return judge_each(steps, address, info, 0, count, by_order);
}

#endif
