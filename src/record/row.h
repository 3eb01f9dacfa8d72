/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rows of a trace, as vCPUs write them and files are made from them: one for each access, and events among them.
 * Fields say what a row has beside a plain record. The fields (enum mt_fields), instructions (struct mt_instruction)
 * and the marks in physical addresses are those of the public library.
 *
 * A row is a struct gmbeoo_record; with one of MT_FIELD_PADDR and MT_FIELD_VALUE it is the first half of a WideRow,
 * with both a whole one. With MT_FIELD_TIME each chunk of rows has its time (ring_time).
 */
#ifndef MEMORY_TRACER_RECORD_ROW_H
#define MEMORY_TRACER_RECORD_ROW_H

#include "../../include/memory_tracer/record.h"
#include "../../include/memory_tracer/trace.h"

/* With MT_FIELD_INSTRUCTION, bits 24-55 of a record's info: the number of its instruction. */
#define ROW_INSTRUCTION_SHIFT 24
/* In a record's info, with MT_FIELD_VALUE: the value isn't known (and 0). */
#define ROW_VALUE_UNKNOWN (UINT64_C(1) << 62)
/* No row has this bit in its info. */
#define ROW_NEVER (UINT64_C(1) << 61)

/* In a row's physical address, with MT_FIELD_PAGE_SIZE, unless it is unknown: the page's size, of enum row_page_size.
 * The address itself has X86_PHYSICAL_BITS and MT_PADDR_IO. */
#define ROW_PAGE_SIZE_SHIFT 56
#define ROW_PAGE_SIZE_MASK (UINT64_C(3) << ROW_PAGE_SIZE_SHIFT)
enum row_page_size { ROW_PAGE_UNKNOWN, ROW_PAGE_4K, ROW_PAGE_2M, ROW_PAGE_1G };

/* The size in a row's physical address, as struct mt_batch has it. */
static inline uint8_t row_page_shift(uint64_t paddr)
{
    unsigned size = (unsigned)(paddr >> ROW_PAGE_SIZE_SHIFT) & 3;

    return (uint8_t)(paddr == MT_PADDR_UNKNOWN || size == ROW_PAGE_UNKNOWN ? 0 : 3 + 9 * size);
}

/* And back: the bits of a row's physical address. */
static inline uint64_t row_page_size_bits(unsigned shift)
{
    return (uint64_t)(shift < 12 ? ROW_PAGE_UNKNOWN : (shift - 3) / 9 & 3) << ROW_PAGE_SIZE_SHIFT;
}

/* The physical address, without the size. */
static inline uint64_t row_paddr(uint64_t paddr)
{
    return paddr == MT_PADDR_UNKNOWN ? paddr : paddr & ~ROW_PAGE_SIZE_MASK;
}

typedef struct WideRow {
    struct gmbeoo_record record;
    union {
        uint64_t paddr;    /* with MT_FIELD_PADDR only */
        uint64_t value[2]; /* low and high half; what the access doesn't cover is 0 */
    };
    uint64_t paddr_beside_value;
    uint64_t unused[3];
} WideRow;

/* With MT_FIELD_TASK and MT_FIELD_EXECUTED: rows without GMBEOO_VALID. Their info is one of these and, in an access's
 * place, the vCPU; their address is the event's number. */
enum row_event {
    ROW_EVENT_TASK = 1, /* from here on, the vCPU executes this task: see TASK_CONTEXT_BITS */
    ROW_EVENT_EXECUTED, /* this translated block is executed */
    ROW_EVENT_CHANGE,   /* with MT_FIELD_TASK: the change of this number takes place (ring_get_change) */
};
#define ROW_EVENT_MASK UINT64_C(0xff)

#endif
