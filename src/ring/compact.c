/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes compact records: see compact.h. Almost no address needs an escape. So we take groups of records, make words of
 * them as if none did, and if one does, make that group again, one record at a time.
 *
 * A word without escape is the low 16 bits of the info above the low 48 bits of the address. An address can do without
 * if address + 2^47 is below 2^48.
 */
#include "compact.h"

#include "../base/avx2.h"
#include "ring.h"

#define GROUP 8

static uint64_t *make_each(const struct gmbeoo_record *records, size_t count, uint64_t *to)
{
    for (size_t i = 0; i < count; i++)
        to += gmbeoo_to_compact(&records[i], to);
    return to;
}

#ifdef __x86_64__

/* Two records as two words; bits of addresses that don't fit are set in *excess. */
static inline __attribute__((always_inline)) __m128i make_2(const struct gmbeoo_record *records, __m128i *excess)
{
    const __m128i half = _mm_set1_epi64x(INT64_C(1) << (COMPACT_ADDRESS_BITS - 1));
    __m128i first = _mm_loadu_si128((const __m128i *)&records[0]);
    __m128i second = _mm_loadu_si128((const __m128i *)&records[1]);
    __m128i infos = _mm_unpacklo_epi64(first, second), addresses = _mm_unpackhi_epi64(first, second);
    __m128i low = _mm_srli_epi64(_mm_slli_epi64(addresses, 64 - COMPACT_ADDRESS_BITS), 64 - COMPACT_ADDRESS_BITS);

    *excess = _mm_or_si128(*excess, _mm_srli_epi64(_mm_add_epi64(addresses, half), COMPACT_ADDRESS_BITS));
    return _mm_or_si128(_mm_slli_epi64(infos, COMPACT_INFO_SHIFT), low);
}

static uint64_t *make_groups_sse2(const struct gmbeoo_record *records, size_t groups, uint64_t *to)
{
    for (; groups; groups--, records += GROUP) {
        __m128i excess = _mm_setzero_si128(), words[GROUP / 2];

        for (int i = 0; i < GROUP / 2; i++)
            words[i] = make_2(records + 2 * i, &excess);
        if (__builtin_expect(_mm_movemask_epi8(_mm_cmpeq_epi8(excess, _mm_setzero_si128())) != 0xffff, 0)) {
            to = make_each(records, GROUP, to);
            continue;
        }
        for (int i = 0; i < GROUP / 2; i++)
            _mm_storeu_si128((__m128i *)to + i, words[i]);
        to += GROUP;
    }
    return to;
}

AVX2_INLINE __m256i make_4(const struct gmbeoo_record *records, __m256i *excess)
{
    const __m256i half = _mm256_set1_epi64x(INT64_C(1) << (COMPACT_ADDRESS_BITS - 1));
    __m256i first = _mm256_loadu_si256((const __m256i *)&records[0]);
    __m256i second = _mm256_loadu_si256((const __m256i *)&records[2]);
    /* These are of records 0, 2, 1, 3, as unpacking works in halves. */
    __m256i infos = _mm256_unpacklo_epi64(first, second), addresses = _mm256_unpackhi_epi64(first, second);
    __m256i low = _mm256_srli_epi64(_mm256_slli_epi64(addresses, 64 - COMPACT_ADDRESS_BITS), 64 - COMPACT_ADDRESS_BITS);
    __m256i words = _mm256_or_si256(_mm256_slli_epi64(infos, COMPACT_INFO_SHIFT), low);

    *excess = _mm256_or_si256(*excess, _mm256_srli_epi64(_mm256_add_epi64(addresses, half), COMPACT_ADDRESS_BITS));
    return _mm256_permute4x64_epi64(words, _MM_SHUFFLE(3, 1, 2, 0));
}

static AVX2 uint64_t *make_groups_avx2(const struct gmbeoo_record *records, size_t groups, uint64_t *to)
{
    for (; groups; groups--, records += GROUP) {
        __m256i excess = _mm256_setzero_si256();
        __m256i first = make_4(records, &excess), second = make_4(records + GROUP / 2, &excess);

        if (__builtin_expect(!_mm256_testz_si256(excess, excess), 0)) {
            to = make_each(records, GROUP, to);
            continue;
        }
        _mm256_storeu_si256((__m256i *)to, first);
        _mm256_storeu_si256((__m256i *)to + 1, second);
        to += GROUP;
    }
    return to;
}

bool compact_way_works(enum compact_way way)
{
    return way <= COMPACT_SSE2 || (way == COMPACT_AVX2 && __builtin_cpu_supports("avx2"));
}

size_t compact_make(enum compact_way way, const struct gmbeoo_record *records, size_t count, uint64_t *words)
{
    size_t groups = way == COMPACT_SCALAR ? 0 : count / GROUP;
    uint64_t *to =
        way == COMPACT_AVX2 ? make_groups_avx2(records, groups, words) : make_groups_sse2(records, groups, words);

    to = make_each(records + groups * GROUP, count - groups * GROUP, to);
    return (size_t)(to - words) * sizeof *words;
}

#else

bool compact_way_works(enum compact_way way)
{
    return way == COMPACT_SCALAR;
}

size_t compact_make(enum compact_way way, const struct gmbeoo_record *records, size_t count, uint64_t *words)
{
    (void)way;
    return (size_t)(make_each(records, count, words) - words) * sizeof *words;
}

#endif

size_t ring_make_compact(const struct gmbeoo_record *records, size_t count, uint64_t *words)
{
    enum compact_way way = COMPACT_WAYS;

    while (!compact_way_works(--way))
        ;
    return compact_make(way, records, count, words);
}
