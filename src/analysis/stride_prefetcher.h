/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stride prefetcher's table, by instruction: J.-L. Baer and T.-F. Chen, "An Effective On-Chip Preloading Scheme to
 * Reduce Data Access Penalty", 1991. It has room for all instructions, and predicts once a stride was seen twice.
 */
#ifndef MEMORY_TRACER_ANALYSIS_STRIDE_PREFETCHER_H
#define MEMORY_TRACER_ANALYSIS_STRIDE_PREFETCHER_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* There is one for each vCPU. All zeros are an empty table. */
typedef struct StridePrefetcher {
    struct StrideEntry *entries; /* by the instruction's number */
    uint32_t room;
} StridePrefetcher;

void stride_prefetcher_clear(StridePrefetcher *prefetcher);
/* Takes note of an access. Returns true and the address of the instruction's next access, if that is predicted, and is
 * in the same 4-KiB page. */
bool stride_prefetcher_predict(StridePrefetcher *prefetcher, uint32_t instruction, uint64_t address, uint64_t *next);

#endif
