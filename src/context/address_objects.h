/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What accesses go to, for user and kernel addresses. Everything that has the same region and name has one number, from
 * 1 on, so that accesses can be counted and selected by numbers.
 *
 * Questions about many accesses in their order are answered fast: each vCPU's last answers are kept.
 */
#ifndef MEMORY_TRACER_CONTEXT_ADDRESS_OBJECTS_H
#define MEMORY_TRACER_CONTEXT_ADDRESS_OBJECTS_H

#include <glib.h>
#include <stdbool.h>

#include "live_memory.h"

typedef struct AddressObjects AddressObjects;

/* Columns that a batch should have (enum mt_columns). Without MT_COLUMN_PADDR, less is known of the kernel's memory. */
#define ADDRESS_OBJECTS_COLUMNS (MT_COLUMN_ADDRESS | MT_COLUMN_TASK | MT_COLUMN_PADDR)

/* The trace must outlive the result, which is freed by address_objects_free(). */
AddressObjects *address_objects_new(mt_trace *trace);
/* The same of a running guest: answers tell what its memory is used for at the moment of the question. `memory` must
 * outlive the result. */
AddressObjects *address_objects_new_live(LiveMemory *memory);
void address_objects_free(AddressObjects *objects);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AddressObjects, address_objects_free)

/* Sets numbers[i] to the number of what record `i` accesses, for each record of the batch. */
void address_objects_number(AddressObjects *objects, const struct mt_batch *batch, uint32_t *numbers);
/* The number of what a batch's record `i` accesses. */
uint32_t address_objects_number_at(AddressObjects *objects, const struct mt_batch *batch, size_t i);
/* Sets *object to what a batch's record `i` accesses, with the name of address_objects_name(). */
void address_objects_find(AddressObjects *objects, const struct mt_batch *batch, size_t i, AddressObject *object);

/* The highest number that was given so far. */
uint32_t address_objects_count(const AddressObjects *objects);
ObjectRegion address_objects_region(const AddressObjects *objects, uint32_t number);
/* The name as it is shown: printable, and a variable's as the programmer wrote it. It belongs to `objects`. */
const char *address_objects_name(const AddressObjects *objects, uint32_t number);
/* The name before that: a variable's as the linker has it, others not made printable. It belongs to `objects`. */
const char *address_objects_linker_name(const AddressObjects *objects, uint32_t number);

/* The word for a region ("kernel-text"); and the region that a word stands for: false if it stands for none. */
const char *object_region_name(ObjectRegion region);
bool object_region_parse(const char *name, ObjectRegion *region);
/* All of these words, with the separator between them. To be freed. */
char *object_region_list(const char *separator);

#endif
