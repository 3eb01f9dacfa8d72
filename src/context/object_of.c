/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The library's objects: mt_object_of(). */
#include "../trace/trace_private.h"
#include "address_objects.h"

static void free_objects(void *objects)
{
    address_objects_free(objects);
}

const struct mt_object *mt_object_of(mt_trace *trace, const struct mt_batch *batch, size_t i)
{
    static __thread struct mt_object object;
    AddressObject found;

    if (!batch->address)
        return NULL;
    g_mutex_lock(&trace->names_lock);
    if (!trace->objects) {
        trace->objects = address_objects_new(trace);
        trace->free_objects = free_objects;
    }
    address_objects_find(trace->objects, batch, i, &found);
    g_mutex_unlock(&trace->names_lock);
    object = (struct mt_object){ .region = object_region_name(found.region),
                                 .name = found.name,
                                 .begin = found.begin,
                                 .end = found.end,
                                 .task = found.task };
    return &object;
}
