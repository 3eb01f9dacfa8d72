/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rows of a trace, as vCPUs write them and files are made from them: one for each access, and events among them.
 * Fields say what a row has beside a plain record. The fields (enum mt_fields), instructions (struct mt_instruction)
 * and the marks in physical addresses are those of the public library.
 *
 * A row is a struct gmbeoo_record, with MT_FIELD_VALUE a WideRow. With MT_FIELD_PADDR, events say in which frames pages
 * lie (RowFrames). With MT_FIELD_TIME each chunk of rows has its time (ring_time).
 */
#ifndef MEMORY_TRACER_RECORD_ROW_H
#define MEMORY_TRACER_RECORD_ROW_H

#include <stdbool.h>
#include <string.h>

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
    /* The low and the high half. What the access doesn't cover of the low half is 0; the high half counts for accesses
     * of 16 bytes and more only, and may be anything else. */
    uint64_t value[2];
} WideRow;

/* Whether an access has 16 bytes or more, so that both halves of its value count. */
static inline bool row_is_big(const struct gmbeoo_record *record)
{
    return gmbeoo_size_shift(record) >= 4;
}

/* With MT_FIELD_TASK, MT_FIELD_EXECUTED and MT_FIELD_PADDR: rows without GMBEOO_VALID. Their info is one of these and,
 * in an access's place, the vCPU; their address is the event's number. */
enum row_event {
    ROW_EVENT_TASK = 1, /* from here on, the vCPU executes this task: see TASK_CONTEXT_BITS */
    ROW_EVENT_EXECUTED, /* this translated block is executed */
    ROW_EVENT_CHANGE,   /* with MT_FIELD_TASK: the change of this number takes place (ring_get_change) */
    ROW_EVENT_FRAME,    /* with MT_FIELD_PADDR: pages of a slot lie in another frame from here on: see RowFrames */
};
#define ROW_EVENT_MASK UINT64_C(0xff)

/*
 * Physical addresses: pages of 4 KiB have slots by their numbers. A slot's frame is the physical address of the page
 * that the vCPU accesses now and that has this slot, with the marks above; or MT_PADDR_UNKNOWN. It is told by an event
 * before the access, unless it is what was told last (at first 0). So an access needs no more room than without, and
 * few have events.
 */
#define ROW_FRAME_SLOTS 1024 /* 4 MiB; with 256, a merge sort of 4 MiB had 20 times as many events */
#define ROW_PAGE_SHIFT 12
#define ROW_FRAME_MASK (~((UINT64_C(1) << ROW_PAGE_SHIFT) - 1))

typedef struct RowFrames {
    uint64_t frame[ROW_FRAME_SLOTS];
} RowFrames;

static inline unsigned row_frame_slot(uint64_t address)
{
    return (unsigned)(address >> ROW_PAGE_SHIFT) % ROW_FRAME_SLOTS;
}

/* The number of the event that tells the frame of the page at `address`. */
static inline uint64_t row_frame_event(uint64_t address, uint64_t frame)
{
    return (frame & ROW_FRAME_MASK) | row_frame_slot(address);
}

/* What an event, by its number, tells: of this slot, this frame. */
static inline unsigned row_event_slot(uint64_t number)
{
    return (unsigned)number % ROW_FRAME_SLOTS;
}

static inline uint64_t row_event_frame(uint64_t number)
{
    uint64_t frame = number & ROW_FRAME_MASK;

    return frame == ROW_FRAME_MASK ? MT_PADDR_UNKNOWN : frame;
}

/* The physical address of an access, with marks, by what was told last. */
static inline uint64_t row_frames_paddr(const RowFrames *frames, uint64_t address)
{
    return frames->frame[row_frame_slot(address)] | (address & ~ROW_FRAME_MASK);
}

/*
 * For those who have each access's physical address, with marks: writes the rows of an access to `rows`, `row_bytes`
 * apart. There is one, or two if an event must tell the frame first. `told`: what was told of this vCPU so far; NULL:
 * without MT_FIELD_PADDR. Returns how many rows there are.
 */
static inline size_t row_put(uint8_t *rows, size_t row_bytes, const WideRow *row, RowFrames *told, uint64_t paddr)
{
    uint64_t address = row->record.virt_addr, frame = paddr == MT_PADDR_UNKNOWN ? paddr : paddr & ROW_FRAME_MASK;
    WideRow event = { .record = { .info = ROW_EVENT_FRAME | (uint64_t)gmbeoo_vcpu(&row->record) << GMBEOO_VCPU_SHIFT,
                                  .virt_addr = row_frame_event(address, frame) } };
    bool tells = told && told->frame[row_frame_slot(address)] != frame;

    if (tells) {
        told->frame[row_frame_slot(address)] = frame;
        memcpy(rows, &event, row_bytes);
        rows += row_bytes;
    }
    memcpy(rows, row, row_bytes);
    return tells ? 2 : 1;
}

#endif
