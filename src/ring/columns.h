/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A ring's rows, taken apart into columns. */
#ifndef MEMORY_TRACER_RING_COLUMNS_H
#define MEMORY_TRACER_RING_COLUMNS_H

#include "../../include/memory_tracer/trace.h"
#include "ring.h"

#define RING_COLUMNS_RECORDS 4096

/* Room for RING_COLUMNS_RECORDS rows. */
typedef struct RingColumns {
    uint64_t address[RING_COLUMNS_RECORDS], paddr[RING_COLUMNS_RECORDS];
    uint8_t info[RING_COLUMNS_RECORDS], page_size[RING_COLUMNS_RECORDS];
    uint32_t instruction[RING_COLUMNS_RECORDS];
    struct mt_value value[RING_COLUMNS_RECORDS];
    bool value_unknown[RING_COLUMNS_RECORDS];
    struct mt_event task[RING_COLUMNS_RECORDS];
    uint32_t task_of_vcpu[RING_MAX_VCPUS]; /* the number of its last event */
    RowFrames *frames[RING_MAX_VCPUS];     /* or NULL: none was needed yet */
    /* The numbers of the changes (ring_get_change) among the rows that were split last. */
    uint32_t change[RING_COLUMNS_RECORDS];
    uint32_t change_before[RING_COLUMNS_RECORDS]; /* the access that each stands before */
    size_t changes;
} RingColumns;

RingColumns *ring_columns_new(void);
void ring_columns_free(RingColumns *columns);

/* Puts the accesses among `count` rows of a ring with these fields, all of batch->vcpu, into `batch`. Its arrays are
 * those arrays of `to` that `columns` asks for. Rows that are events become the batch's events. */
void ring_columns_split(RingColumns *to, unsigned fields, unsigned columns, const struct gmbeoo_record *records,
                        size_t count, struct mt_batch *batch);

#endif
