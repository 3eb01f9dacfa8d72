/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each access goes to: see object_column.h. All accesses of a batch are looked up at once. */
#include "object_column.h"

struct ObjectColumn {
    AddressObjects *objects;
    GArray *numbers; /* uint32_t: those of the last batch, which is the one that the next two identify */
    uint64_t first;
    unsigned vcpu;
};

bool object_column_is_wanted(const Output *output)
{
    return output->fields & MT_FIELD_TASK && mt_trace_format(output->trace) == MT_FORMAT_FILE;
}

ObjectColumn *object_column_new(mt_trace *trace)
{
    ObjectColumn *column = g_new0(ObjectColumn, 1);

    column->objects = address_objects_new(trace);
    column->numbers = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    return column;
}

void object_column_free(ObjectColumn *column)
{
    if (!column)
        return;
    address_objects_free(column->objects);
    g_array_unref(column->numbers);
    g_free(column);
}

uint32_t object_column_number(ObjectColumn *column, const Access *access)
{
    const struct mt_batch *batch = access->batch;

    if (column->numbers->len != batch->count || column->first != batch->first || column->vcpu != batch->vcpu) {
        g_array_set_size(column->numbers, (guint)batch->count);
        address_objects_number(column->objects, batch, (uint32_t *)column->numbers->data);
        column->first = batch->first;
        column->vcpu = batch->vcpu;
    }
    return g_array_index(column->numbers, uint32_t, access->i);
}

const AddressObjects *object_column_objects(const ObjectColumn *column)
{
    return column->objects;
}
