/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows as columns: see columns.h. */
#include "columns.h"

static void add_change(RingColumns *to, uint32_t before, uint32_t number)
{
    to->change_before[to->changes] = before;
    to->change[to->changes++] = number;
}

RingColumns *ring_columns_new(void)
{
    return g_new0(RingColumns, 1);
}

void ring_columns_free(RingColumns *columns)
{
    if (!columns)
        return;
    for (unsigned i = 0; i < RING_MAX_VCPUS; i++)
        g_free(columns->frames[i]);
    g_free(columns);
}

/* If the row is an event, notes that it stands before access `before`, and returns true. `frames`: of the batch's vCPU;
 * or NULL. */
static bool take_event(RingColumns *to, const struct gmbeoo_record *row, size_t before, struct mt_batch *batch,
                       RowFrames *frames)
{
    if (gmbeoo_is_valid(row))
        return false;
    if (frames && (row->info & ROW_EVENT_MASK) == ROW_EVENT_FRAME)
        frames->frame[row_event_slot(row->virt_addr)] = row_event_frame(row->virt_addr);
    else if ((row->info & ROW_EVENT_MASK) == ROW_EVENT_TASK)
        to->task[batch->task.count++] = (struct mt_event){ (uint32_t)before, (uint32_t)row->virt_addr };
    else if ((row->info & ROW_EVENT_MASK) == ROW_EVENT_CHANGE)
        add_change(to, (uint32_t)before, (uint32_t)row->virt_addr);
    return true;
}

/* The fields are constants where this is called, so each kind of row gets a loop of its own. Returns the number of
 * accesses. */
static inline __attribute__((always_inline)) size_t split(RingColumns *to, unsigned fields, const uint8_t *records,
                                                          size_t count, struct mt_batch *batch)
{
    size_t i = 0, bytes = fields & MT_FIELD_VALUE ? sizeof(WideRow) : sizeof(struct gmbeoo_record);
    RowFrames *frames = fields & MT_FIELD_PADDR ? to->frames[batch->vcpu] : NULL;

    for (size_t row = 0; row < count; row++, records += bytes) {
        const WideRow *wide = (const WideRow *)records;

        if ((fields & (MT_FIELD_TASK | MT_FIELD_PADDR)) && G_UNLIKELY(take_event(to, &wide->record, i, batch, frames)))
            continue;
        to->address[i] = wide->record.virt_addr;
        to->info[i] = (uint8_t)wide->record.info;
        if (fields & MT_FIELD_INSTRUCTION) { /* whoever has broken out of the guest can write what isn't one */
            uint32_t number = (uint32_t)(wide->record.info >> ROW_INSTRUCTION_SHIFT);

            to->instruction[i] = number < RING_MAX_INSTRUCTIONS ? number : 0;
        }
        if (fields & MT_FIELD_PADDR) {
            uint64_t paddr = row_frames_paddr(frames, wide->record.virt_addr);

            to->paddr[i] = fields & MT_FIELD_PAGE_SIZE ? row_paddr(paddr) : paddr;
            if (fields & MT_FIELD_PAGE_SIZE)
                to->page_size[i] = row_page_shift(paddr);
        }
        if (fields & MT_FIELD_VALUE) {
            to->value[i] = (struct mt_value){ wide->value[0], row_is_big(&wide->record) ? wide->value[1] : 0 };
            to->value_unknown[i] = wide->record.info & ROW_VALUE_UNKNOWN;
        }
        i++;
    }
    return i;
}

void ring_columns_split(RingColumns *to, unsigned fields, unsigned columns, const struct gmbeoo_record *records,
                        size_t count, struct mt_batch *batch)
{
    const uint8_t *bytes = (const uint8_t *)records;
    uint32_t *state = &to->task_of_vcpu[batch->vcpu];

    if ((fields & MT_FIELD_PADDR) && !to->frames[batch->vcpu])
        to->frames[batch->vcpu] = g_new0(RowFrames, 1);
    to->changes = 0;
    batch->task = (struct mt_events){ .state = *state, .event = to->task };
    switch (fields & (MT_FIELD_INSTRUCTION | MT_FIELD_PADDR | MT_FIELD_VALUE | MT_FIELD_TASK | MT_FIELD_PAGE_SIZE)) {
    case 0:
        count = split(to, 0, bytes, count, batch);
        break;
    case MT_FIELD_INSTRUCTION:
        count = split(to, MT_FIELD_INSTRUCTION, bytes, count, batch);
        break;
    case MT_FIELD_INSTRUCTION | MT_FIELD_TASK:
        count = split(to, MT_FIELD_INSTRUCTION | MT_FIELD_TASK, bytes, count, batch);
        break;
    case MT_FIELD_INSTRUCTION | MT_FIELD_PADDR:
        count = split(to, MT_FIELD_INSTRUCTION | MT_FIELD_PADDR, bytes, count, batch);
        break;
    case MT_FIELD_INSTRUCTION | MT_FIELD_VALUE:
        count = split(to, MT_FIELD_INSTRUCTION | MT_FIELD_VALUE, bytes, count, batch);
        break;
    default:
        count = split(to, fields, bytes, count, batch);
    }
    if (batch->task.count)
        *state = to->task[batch->task.count - 1].number;
    if (!(columns & MT_COLUMN_TASK) || !(fields & MT_FIELD_TASK))
        batch->task = (struct mt_events){ 0 };
    batch->count = count;
    batch->address = columns & MT_COLUMN_ADDRESS ? to->address : NULL;
    batch->info = columns & MT_COLUMN_INFO ? to->info : NULL;
    batch->instruction = columns & MT_COLUMN_INSTRUCTION ? to->instruction : NULL;
    batch->paddr = (columns & MT_COLUMN_PADDR) && (fields & MT_FIELD_PADDR) ? to->paddr : NULL;
    batch->page_size = (columns & MT_COLUMN_PAGE_SIZE) && (fields & MT_FIELD_PAGE_SIZE) && (fields & MT_FIELD_PADDR)
                           ? to->page_size
                           : NULL;
    batch->value = (columns & MT_COLUMN_VALUE) && (fields & MT_FIELD_VALUE) ? to->value : NULL;
    batch->value_unknown = batch->value ? to->value_unknown : NULL;
}
