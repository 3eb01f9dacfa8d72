/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How some accesses follow the last ones of their instructions: in what order, and whether in the same line. All ways
 * give the same.
 */
#ifndef MEMORY_TRACER_ANALYSIS_STAT_STEPS_H
#define MEMORY_TRACER_ANALYSIS_STAT_STEPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STAT_STEPS 64 /* one for each bit of a word */
#define STAT_LINE_BYTES 64
#define STAT_BEGINNING 2 /* accesses of an instruction that have no stride, or no last one */

enum stat_order { STAT_SAME, STAT_SEQUENTIAL, STAT_STRIDED, STAT_OTHER, STAT_ORDERS };

/* What each access's instruction had done before. */
typedef struct {
    uint64_t stride[STAT_STEPS];      /* from its last access to this one */
    uint64_t last_stride[STAT_STEPS]; /* from the last but one to the last */
    uint64_t accesses[STAT_STEPS];    /* that it had made; below STAT_BEGINNING: a stride means nothing */
    uint32_t stores[STAT_STEPS];      /* likewise, modulo 2^32: only with groups, and not judged */
} StatSteps;

enum stat_way { STAT_SCALAR, STAT_AVX2, STAT_WAYS };

/* Whether this processor can do it that way. */
bool stat_way_works(enum stat_way way);

/* The order of an access of so many bytes, whose instruction had made so many accesses before: `stride` from the last
 * one, whose own stride was `last_stride`. */
enum stat_order stat_order(uint64_t stride, uint64_t last_stride, uint64_t bytes, uint64_t accesses);

/* Adds the orders of `count` accesses, at most STAT_STEPS, to by_order[STAT_ORDERS]; of an instruction's first access,
 * it is STAT_OTHER. `address` and `info` are as in struct mt_batch. Returns a bit for each access that isn't all within
 * the line where its instruction's last one began, or that is one of its first STAT_BEGINNING. */
uint64_t stat_judge(enum stat_way way, const StatSteps *steps, const uint64_t *address, const uint8_t *info,
                    size_t count, uint64_t *by_order);

#endif
