/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Judges accesses: see stat_steps.h. There are no branches, because the processor could not predict them. */
#include "stat_steps.h"

#include <string.h>

#include "../../include/memory_tracer/trace.h"
#include "../base/avx2.h"
#include "page_table.h"

#define LANES AVX2_WORDS /* of the lane functions */
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
        uint64_t last = steps->address[i], bytes = mt_size(info[i]);
        uint64_t offset = address[i] - (last & LINE_MASK); /* from the line of the last access */
        bool beginning = steps->accesses[i] < STAT_BEGINNING;

        orders += UINT64_C(1) << ORDER_BITS * stat_order(address[i] - last, last - steps->address_before[i], bytes,
                                                         steps->accesses[i]);
        leaving |= (uint64_t)((((offset | (offset + bytes - 1)) & LINE_MASK) != 0) | beginning) << i;
    }
    for (int i = 0; i < STAT_ORDERS; i++)
        by_order[i] += orders >> ORDER_BITS * i & ((1u << ORDER_BITS) - 1);
    return leaving;
}

static uint64_t follow_each(StatInstruction *instructions, const uint32_t *numbers, const uint64_t *address,
                            const uint8_t *info, size_t begin, size_t end, StatSteps *steps, uint64_t *by_order)
{
    for (size_t i = begin; i < end; i++)
        stat_step(&instructions[numbers[i]], address[i], steps, i);
    return judge_each(steps, address, info, begin, end, by_order);
}

#ifdef __x86_64__

AVX2_INLINE __m256i load(const uint64_t *from)
{
    return _mm256_loadu_si256((const __m256i *)from);
}

AVX2_INLINE uint64_t sum(__m256i words)
{
    __m128i two = _mm_add_epi64(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));

    return (uint64_t)_mm_extract_epi64(two, 0) + (uint64_t)_mm_extract_epi64(two, 1);
}

AVX2_INLINE __m256i sizes_of(const uint8_t *info)
{
    int four;

    memcpy(&four, info, sizeof four);
    return _mm256_sllv_epi64(_mm256_set1_epi64x(1),
                             _mm256_and_si256(_mm256_cvtepu8_epi64(_mm_cvtsi32_si128(four)), _mm256_set1_epi64x(7)));
}

/* LANES steps: the words of StatSteps. */
typedef struct {
    __m256i address, address_before, accesses;
} LaneSteps;

/* How many accesses there were of each order, by lane. */
typedef struct {
    __m256i same, sequential, strided;
} LaneOrders;

/* LANES accesses. Returns a bit for each as stat_judge() does. A true word has all bits set, which is -1. */
AVX2_INLINE uint64_t judge_lanes(const LaneSteps *steps, const uint64_t *address, const uint8_t *info,
                                 LaneOrders *orders)
{
    const __m256i zero = _mm256_setzero_si256(), one = _mm256_set1_epi64x(1),
                  line_mask = _mm256_set1_epi64x((int64_t)LINE_MASK);
    __m256i bytes = sizes_of(info), at = load(address), last = steps->address;
    __m256i stride = _mm256_sub_epi64(at, last), last_stride = _mm256_sub_epi64(last, steps->address_before);
    __m256i first = _mm256_cmpeq_epi64(steps->accesses, zero);
    __m256i beginning = _mm256_cmpgt_epi64(_mm256_set1_epi64x(STAT_BEGINNING), steps->accesses);
    __m256i is_same = _mm256_cmpeq_epi64(stride, zero);
    __m256i is_sequential =
        _mm256_or_si256(_mm256_cmpeq_epi64(stride, bytes), _mm256_cmpeq_epi64(stride, _mm256_sub_epi64(zero, bytes)));
    __m256i is_strided =
        _mm256_andnot_si256(_mm256_or_si256(is_same, is_sequential), _mm256_cmpeq_epi64(stride, last_stride));
    __m256i offset = _mm256_sub_epi64(at, _mm256_and_si256(last, line_mask));
    __m256i end = _mm256_add_epi64(offset, _mm256_sub_epi64(bytes, one));
    __m256i stays = _mm256_cmpeq_epi64(_mm256_and_si256(_mm256_or_si256(offset, end), line_mask), zero);

    orders->same = _mm256_sub_epi64(orders->same, _mm256_andnot_si256(first, is_same));
    orders->sequential = _mm256_sub_epi64(orders->sequential, _mm256_andnot_si256(first, is_sequential));
    orders->strided = _mm256_sub_epi64(orders->strided, _mm256_andnot_si256(beginning, is_strided));
    return (uint64_t)_mm256_movemask_pd(_mm256_castsi256_pd(_mm256_andnot_si256(beginning, stays))) ^
           ((1u << LANES) - 1);
}

/* Of `count` accesses. */
AVX2_INLINE void add_lanes(const LaneOrders *orders, size_t count, uint64_t *by_order)
{
    uint64_t same = sum(orders->same), sequential = sum(orders->sequential), strided = sum(orders->strided);

    by_order[STAT_SAME] += same;
    by_order[STAT_SEQUENTIAL] += sequential;
    by_order[STAT_STRIDED] += strided;
    by_order[STAT_OTHER] += count - same - sequential - strided;
}

/* stat_judge() for a `count` that is a multiple of LANES. */
static AVX2 uint64_t judge_all(const StatSteps *steps, const uint64_t *address, const uint8_t *info, size_t count,
                               uint64_t *by_order)
{
    LaneOrders orders = { 0 };
    uint64_t leaving = 0;

    for (size_t i = 0; i < count; i += LANES) {
        LaneSteps lanes = { load(&steps->address[i]), load(&steps->address_before[i]), load(&steps->accesses[i]) };

        leaving |= judge_lanes(&lanes, &address[i], &info[i], &orders) << i;
    }
    add_lanes(&orders, count, by_order);
    return leaving;
}

/* What is kept of an instruction is a vector. */
_Static_assert(sizeof(StatInstruction) == sizeof(__m256i) && offsetof(StatInstruction, address) == 0 &&
                   offsetof(StatInstruction, address_before) == 8 && offsetof(StatInstruction, accesses) == 16,
               "step() knows its words");

/* As stat_step(). Returns what was kept before. */
AVX2_INLINE __m256i step(StatInstruction *instruction, uint64_t address)
{
    const __m256i one_access = _mm256_set_epi64x(0, 1, 0, 0);
    __m256i last = _mm256_load_si256((__m256i *)instruction);
    __m256i addresses = _mm256_unpacklo_epi64(_mm256_set1_epi64x((int64_t)address), last); /* this one's, the last's */

    _mm256_store_si256((__m256i *)instruction, _mm256_add_epi64(_mm256_blend_epi32(addresses, last, 0xf0), one_access));
    return last;
}

/* stat_follow() for a `count` that is a multiple of LANES. */
static AVX2 uint64_t follow_all(StatInstruction *instructions, const uint32_t *numbers, const uint64_t *address,
                                const uint8_t *info, size_t count, StatSteps *steps, uint64_t *by_order)
{
    LaneOrders orders = { 0 };
    uint64_t leaving = 0;

    for (size_t i = 0; i < count; i += LANES) {
        __m256i a = step(&instructions[numbers[i]], address[i]),
                b = step(&instructions[numbers[i + 1]], address[i + 1]),
                c = step(&instructions[numbers[i + 2]], address[i + 2]),
                d = step(&instructions[numbers[i + 3]], address[i + 3]);
        /* From a vector of each access to one of each word. */
        __m256i ab = _mm256_unpacklo_epi64(a, b), cd = _mm256_unpacklo_epi64(c, d);
        LaneSteps lanes = {
            .address = _mm256_permute2x128_si256(ab, cd, 0x20),
            .address_before = _mm256_permute2x128_si256(_mm256_unpackhi_epi64(a, b), _mm256_unpackhi_epi64(c, d), 0x20),
            .accesses = _mm256_permute2x128_si256(ab, cd, 0x31),
        };

        _mm256_storeu_si256((__m256i *)&steps->accesses[i], lanes.accesses);
        leaving |= judge_lanes(&lanes, &address[i], &info[i], &orders) << i;
    }
    add_lanes(&orders, count, by_order);
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
    uint64_t leaving = whole ? judge_all(steps, address, info, whole, by_order) : 0;

    return leaving | judge_each(steps, address, info, whole, count, by_order);
}

uint64_t stat_follow(enum stat_way way, StatInstruction *instructions, const uint32_t *numbers, const uint64_t *address,
                     const uint8_t *info, size_t count, StatSteps *steps, uint64_t *by_order)
{
    size_t whole = way == STAT_AVX2 ? count / LANES * LANES : 0;
    uint64_t leaving = whole ? follow_all(instructions, numbers, address, info, whole, steps, by_order) : 0;

    return leaving | follow_each(instructions, numbers, address, info, whole, count, steps, by_order);
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

uint64_t stat_follow(enum stat_way way, StatInstruction *instructions, const uint32_t *numbers, const uint64_t *address,
                     const uint8_t *info, size_t count, StatSteps *steps, uint64_t *by_order)
{
    (void)way;
    return follow_each(instructions, numbers, address, info, 0, count, steps, by_order);
}

#endif
