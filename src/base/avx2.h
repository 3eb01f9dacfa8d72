/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For functions that use AVX2, whatever else is compiled for. To be called only if __builtin_cpu_supports("avx2"). */
#ifndef MEMORY_TRACER_BASE_AVX2_H
#define MEMORY_TRACER_BASE_AVX2_H

#ifdef __x86_64__

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))
#define AVX2_INLINE static inline AVX2 __attribute__((always_inline))

#endif

#define AVX2_WORDS 4 /* of 64 bits, in a vector */

#endif
