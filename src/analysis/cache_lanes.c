/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hits of a set, by AVX2: see cache_lanes.h. */
#include "cache_lanes.h"

#ifdef __x86_64__

#include "../base/avx2.h"
#include "cache_array.h"

#define LANES AVX2_WORDS
#define VECTORS_MOST 4

bool cache_lanes_work(size_t ways)
{
    return ways % LANES == 0 && ways <= VECTORS_MOST * LANES && __builtin_cpu_supports("avx2");
}

/* `vectors` is a constant of each caller's. Where the line is changes nothing in what is done, so that there is no
 * branch that the processor could not predict, but for whether it is there at all. */
AVX2_INLINE bool hit(uint64_t *words, size_t vectors, uint64_t wanted, uint64_t any, uint64_t flags)
{
    const __m256i all_wanted = _mm256_set1_epi64x((int64_t)wanted), all_any = _mm256_set1_epi64x((int64_t)any);
    __m256i *vector = (__m256i *)words, old[VECTORS_MOST], above, at, ways = _mm256_setr_epi64x(0, 1, 2, 3);
    unsigned found = 0;
    size_t way;

    for (size_t i = 0; i < vectors; i++) {
        old[i] = _mm256_loadu_si256(&vector[i]);
        at = _mm256_cmpeq_epi64(_mm256_or_si256(old[i], all_any), all_wanted);
        found |= (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(at)) << (i * LANES);
    }
    if (!found)
        return false;
    way = (size_t)__builtin_ctz(found);
    above = _mm256_set1_epi64x((int64_t)(words[way] | flags));
    at = _mm256_set1_epi64x((int64_t)way);
    for (size_t i = 0; i < vectors; i++) {
        /* All move on by one, behind the last one of the vector before; but those behind the line stay. */
        __m256i rotated = _mm256_permute4x64_epi64(old[i], _MM_SHUFFLE(2, 1, 0, 3));
        __m256i moved = _mm256_blend_epi32(rotated, above, 3);

        _mm256_storeu_si256(&vector[i], _mm256_blendv_epi8(moved, old[i], _mm256_cmpgt_epi64(ways, at)));
        above = rotated;
        ways = _mm256_add_epi64(ways, _mm256_set1_epi64x(LANES));
    }
    return true;
}

AVX2 bool cache_lanes_hit(uint64_t *words, size_t ways, uint64_t wanted, uint64_t any, uint64_t flags)
{
    switch (ways / LANES) {
    case 1:
        return hit(words, 1, wanted, any, flags);
    case 2:
        return hit(words, 2, wanted, any, flags);
    case 3:
        return hit(words, 3, wanted, any, flags);
    default:
        return hit(words, VECTORS_MOST, wanted, any, flags);
    }
}

AVX2_INLINE uint64_t push(uint64_t *words, size_t vectors, uint64_t word)
{
    __m256i *vector = (__m256i *)words, above = _mm256_set1_epi64x((int64_t)word);
    uint64_t last = words[vectors * LANES - 1];

    for (size_t i = 0; i < vectors; i++) {
        __m256i rotated = _mm256_permute4x64_epi64(_mm256_loadu_si256(&vector[i]), _MM_SHUFFLE(2, 1, 0, 3));

        _mm256_storeu_si256(&vector[i], _mm256_blend_epi32(rotated, above, 3));
        above = rotated;
    }
    return last;
}

AVX2 uint64_t cache_lanes_push(uint64_t *words, size_t ways, uint64_t word)
{
    switch (ways / LANES) {
    case 1:
        return push(words, 1, word);
    case 2:
        return push(words, 2, word);
    case 3:
        return push(words, 3, word);
    default:
        return push(words, VECTORS_MOST, word);
    }
}

#else

bool cache_lanes_work(size_t ways)
{
    (void)ways;
    return false;
}

bool cache_lanes_hit(uint64_t *words, size_t ways, uint64_t wanted, uint64_t any, uint64_t flags)
{
    (void)words, (void)ways, (void)wanted, (void)any, (void)flags;
    return false;
}

uint64_t cache_lanes_push(uint64_t *words, size_t ways, uint64_t word)
{
    (void)words, (void)ways, (void)word;
    return 0;
}

#endif
