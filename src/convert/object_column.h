/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tells what each access goes to, for formats that have a column for it. */
#ifndef MEMORY_TRACER_CONVERT_OBJECT_COLUMN_H
#define MEMORY_TRACER_CONVERT_OBJECT_COLUMN_H

#include "../context/address_objects.h"
#include "convert.h"

typedef struct ObjectColumn ObjectColumn;

/* Whether an output has this column: only if its input tells tasks and their mappings. */
bool object_column_is_wanted(const Output *output);
ObjectColumn *object_column_new(mt_trace *trace);
void object_column_free(ObjectColumn *column);
/* The number, in object_column_objects(), of what an access goes to. Must be called in the order of the accesses. */
uint32_t object_column_number(ObjectColumn *column, const Access *access);
const AddressObjects *object_column_objects(const ObjectColumn *column);

#endif
