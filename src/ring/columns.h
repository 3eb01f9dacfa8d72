/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A ring's rows, taken apart into columns. */
#ifndef MEMORY_TRACER_RING_COLUMNS_H
#define MEMORY_TRACER_RING_COLUMNS_H

#include "../../include/memory_tracer/trace.h"
#include "ring.h"

#define RING_COLUMNS_RECORDS 4096

/* Room for so many. */
typedef struct RingColumns {
    uint64_t address[RING_COLUMNS_RECORDS], paddr[RING_COLUMNS_RECORDS];
    uint8_t info[RING_COLUMNS_RECORDS];
    uint32_t instruction[RING_COLUMNS_RECORDS];
    struct mt_value value[RING_COLUMNS_RECORDS];
    bool value_unknown[RING_COLUMNS_RECORDS];
} RingColumns;

/* Makes `batch` one of `count` records of a ring with these fields; its arrays are those of `to` that were asked for.
 */
void ring_columns_split(RingColumns *to, unsigned fields, unsigned columns, const struct gmbeoo_record *records,
                        size_t count, struct mt_batch *batch);

#endif
