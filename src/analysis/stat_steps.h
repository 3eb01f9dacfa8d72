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

/* What is kept of an instruction for its next access: half a cache line. */
typedef struct {
    uint64_t address;        /* of the last access */
    uint64_t address_before; /* of the last but one */
    uint64_t accesses;
    union {                     /* an analysis has groups for all its records, or for none; a part has none */
        struct PageEntry *page; /* without groups: that it is in (stat_enter_page()); NULL: in none yet */
        struct {                /* with groups */
            uint32_t tag;       /* of the last access (GroupRun) */
            uint32_t stores;    /* modulo 2^32 */
        };
    };
} __attribute__((aligned(32))) StatInstruction;

enum stat_order { STAT_SAME, STAT_SEQUENTIAL, STAT_STRIDED, STAT_OTHER, STAT_ORDERS };

/* What each access's instruction had done before. */
typedef struct {
    uint64_t address[STAT_STEPS];        /* of its last access */
    uint64_t address_before[STAT_STEPS]; /* of its last but one */
    uint64_t accesses[STAT_STEPS];       /* that it had made; below STAT_BEGINNING: no stride is known */
    uint32_t stores[STAT_STEPS];         /* likewise, modulo 2^32: only with groups, and not judged */
} StatSteps;

/* Step `i`: an access of this instruction. */
static inline void stat_step(StatInstruction *instruction, uint64_t address, StatSteps *steps, size_t i)
{
    uint64_t last = instruction->address, accesses = instruction->accesses;

    steps->address[i] = last;
    steps->address_before[i] = instruction->address_before;
    steps->accesses[i] = accesses;
    instruction->address = address;
    instruction->address_before = last;
    instruction->accesses = accesses + 1;
}

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

/* The same of accesses of the instructions numbers[], which make these steps first. Of the steps, only `accesses` is
 * kept for the caller. */
uint64_t stat_follow(enum stat_way way, StatInstruction *instructions, const uint32_t *numbers, const uint64_t *address,
                     const uint8_t *info, size_t count, StatSteps *steps, uint64_t *by_order);

#endif
