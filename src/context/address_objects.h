/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What accesses go to, of all addresses: asks for user memory and for the kernel's, and gives what has the same region
 * and name one number, from 1 on, so that accesses can be counted and selected by numbers.
 *
 * Whoever asks about many accesses in their order gets fast answers: those of nearby addresses are kept for each vCPU.
 */
#ifndef MEMORY_TRACER_CONTEXT_ADDRESS_OBJECTS_H
#define MEMORY_TRACER_CONTEXT_ADDRESS_OBJECTS_H

#include <glib.h>
#include <stdbool.h>

#include "live_memory.h"

typedef struct AddressObjects AddressObjects;

/* Columns that a batch must have (enum mt_columns). Without physical addresses, less is known of the kernel's memory.
 */
#define ADDRESS_OBJECTS_COLUMNS (MT_COLUMN_ADDRESS | MT_COLUMN_TASK | MT_COLUMN_PADDR)

/* The trace must stay. */
AddressObjects *address_objects_new(mt_trace *trace);
/* Of a running guest: what its memory is used for when it is asked for. `memory` must stay. */
AddressObjects *address_objects_new_live(LiveMemory *memory);
void address_objects_free(AddressObjects *objects);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AddressObjects, address_objects_free)

/* Of each record of a batch: the number of what it accesses. `numbers` has room for `count` elements. */
void address_objects_number(AddressObjects *objects, const struct mt_batch *batch, uint32_t *numbers);
/* The same of one record. */
uint32_t address_objects_number_at(AddressObjects *objects, const struct mt_batch *batch, size_t i);
/* What a batch's record `i` accesses. Its name is the one that is shown. */
void address_objects_find(AddressObjects *objects, const struct mt_batch *batch, size_t i, AddressObject *object);

/* How many numbers there are so far; they run from 1 to that. */
uint32_t address_objects_count(const AddressObjects *objects);
ObjectRegion address_objects_region(const AddressObjects *objects, uint32_t number);
/* As it is shown: variables as programmers named them. It belongs to `objects`. */
const char *address_objects_name(const AddressObjects *objects, uint32_t number);
/* A variable's, as the linker has it; else the same. */
const char *address_objects_linker_name(const AddressObjects *objects, uint32_t number);

/* The word for a region ("kernel-text"), and a region by its word: false if there is none. */
const char *object_region_name(ObjectRegion region);
bool object_region_parse(const char *name, ObjectRegion *region);
/* All of these words, with the separator between them. To be freed. */
char *object_region_list(const char *separator);

#endif
