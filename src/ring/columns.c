/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows as columns: see columns.h. */
#include "columns.h"

/* The fields are constants where this is called, so each kind of row gets a loop of its own. */
static inline __attribute__((always_inline)) void split(RingColumns *to, unsigned fields, const uint8_t *records,
                                                        size_t count)
{
    size_t bytes = !(fields & (MT_FIELD_PADDR | MT_FIELD_VALUE)) ? sizeof(struct gmbeoo_record)
                   : (fields & (MT_FIELD_PADDR | MT_FIELD_VALUE)) == (MT_FIELD_PADDR | MT_FIELD_VALUE)
                       ? sizeof(WideRow)
                       : sizeof(WideRow) / 2;

    for (size_t i = 0; i < count; i++, records += bytes) {
        const WideRow *wide = (const WideRow *)records;

        to->address[i] = wide->record.virt_addr;
        to->info[i] = (uint8_t)wide->record.info;
        if (fields & MT_FIELD_INSTRUCTION)
            to->instruction[i] = (uint32_t)(wide->record.info >> ROW_INSTRUCTION_SHIFT);
        if (fields & MT_FIELD_PADDR)
            to->paddr[i] = fields & MT_FIELD_VALUE ? wide->paddr_beside_value : wide->paddr;
        if (fields & MT_FIELD_VALUE) {
            to->value[i] = (struct mt_value){ wide->value[0], wide->value[1] };
            to->value_unknown[i] = wide->record.info & ROW_VALUE_UNKNOWN;
        }
    }
}

void ring_columns_split(RingColumns *to, unsigned fields, unsigned columns, const struct gmbeoo_record *records,
                        size_t count, struct mt_batch *batch)
{
    const uint8_t *bytes = (const uint8_t *)records;

    switch (fields & (MT_FIELD_INSTRUCTION | MT_FIELD_PADDR | MT_FIELD_VALUE)) {
    case 0:
        split(to, 0, bytes, count);
        break;
    case MT_FIELD_INSTRUCTION:
        split(to, MT_FIELD_INSTRUCTION, bytes, count);
        break;
    case MT_FIELD_INSTRUCTION | MT_FIELD_PADDR:
        split(to, MT_FIELD_INSTRUCTION | MT_FIELD_PADDR, bytes, count);
        break;
    case MT_FIELD_INSTRUCTION | MT_FIELD_VALUE:
        split(to, MT_FIELD_INSTRUCTION | MT_FIELD_VALUE, bytes, count);
        break;
    default:
        split(to, fields, bytes, count);
    }
    batch->count = count;
    batch->address = columns & MT_COLUMN_ADDRESS ? to->address : NULL;
    batch->info = columns & MT_COLUMN_INFO ? to->info : NULL;
    batch->instruction = columns & MT_COLUMN_INSTRUCTION ? to->instruction : NULL;
    batch->paddr = (columns & MT_COLUMN_PADDR) && (fields & MT_FIELD_PADDR) ? to->paddr : NULL;
    batch->value = (columns & MT_COLUMN_VALUE) && (fields & MT_FIELD_VALUE) ? to->value : NULL;
    batch->value_unknown = batch->value ? to->value_unknown : NULL;
}
