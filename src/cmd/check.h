/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `memory_tracer check` counts while it reads a trace. */
#ifndef MEMORY_TRACER_CMD_CHECK_H
#define MEMORY_TRACER_CMD_CHECK_H

#include <glib.h>
#include <stdbool.h>

#include "../../include/memory_tracer/trace.h"
#include "../analysis/memory_image.h"
#include "../base/progress.h"

/* A problem makes the trace a bad one, an exception is worth a look. */
typedef enum {
    PROBLEM_SIZE,
    PROBLEM_ADDRESS,
    PROBLEM_ORDER,
    PROBLEM_MISSING,
    PROBLEM_PADDR,
    PROBLEM_KERNEL,
    PROBLEM_CPL,
    PROBLEM_INSTRUCTION,
    PROBLEM_TIME,
    PROBLEM_DROPS,
    PROBLEM_TOTALS,
    PROBLEM_UNFINISHED,
    EXCEPTION_USER_IN_KERNEL,
    EXCEPTION_DERIVED,
    EXCEPTION_NO_PADDR,
    EXCEPTION_NO_INSTRUCTION,
    EXCEPTION_VALUE,
    FINDINGS,
} Finding;

#define CHECK_MAX_VCPUS 256

/* What is known of the trace before it is read. It doesn't change while the trace is read. */
typedef struct CheckFacts {
    mt_trace *trace;
    bool user_only;
    uint8_t *instruction_cpls; /* by number; CHECK_NO_INSTRUCTION if the trace doesn't have it. NULL: no such field */
    uint32_t instructions;
} CheckFacts;

#define CHECK_NO_INSTRUCTION UINT8_MAX

typedef struct CheckCounts {
    uint64_t found[FINDINGS];
    uint64_t records;
    uint64_t compared; /* loads, with the stores before them */
} CheckCounts;

void check_facts_init(CheckFacts *facts, mt_trace *trace, bool user_only);
void check_facts_clear(CheckFacts *facts);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CheckFacts, check_facts_clear)

void check_counts_add(CheckCounts *to, const CheckCounts *from);

/* Checks what can be checked of each record by itself. */
void check_records(const CheckFacts *facts, const struct mt_batch *batch, CheckCounts *counts);

/* What depends on the records before. check_order() must get all batches, in the reader's order. */
typedef struct CheckOrder {
    uint64_t next_index;
    uint64_t last_ns[CHECK_MAX_VCPUS];
} CheckOrder;

/* Where a batch stands in the trace, for check_order(). */
typedef struct CheckPlace {
    uint64_t first, time_ns;
    uint32_t count, vcpu;
} CheckPlace;

static inline CheckPlace check_place(const struct mt_batch *batch)
{
    return (CheckPlace){
        .first = batch->first, .time_ns = batch->time_ns, .count = (uint32_t)batch->count, .vcpu = batch->vcpu
    };
}

/* Returns whether no record is missing right before the batch. */
bool check_order(CheckOrder *order, const CheckPlace *place, CheckCounts *counts);

/* Compares loads with the stores before them. The pages are divided into `shares` sets, of which only set number
 * `share` is looked at. */
void check_values(MemoryImage *image, const struct mt_batch *batch, unsigned share, unsigned shares,
                  CheckCounts *counts);

/*
 * Reads a file's blocks by several threads. Counts what reading it from the beginning to the end would have counted.
 * False, with nothing counted, if some block can't be read: then that is the way to tell what comes before it.
 */
bool check_blocks(const CheckFacts *facts, unsigned threads, CheckCounts *counts, CheckOrder *order,
                  Progress *progress);

#endif
