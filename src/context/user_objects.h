/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an address of a process's memory was at some time: a variable, a stack, the heap, a file. Known from the trace
 * alone. */
#ifndef MEMORY_TRACER_CONTEXT_USER_OBJECTS_H
#define MEMORY_TRACER_CONTEXT_USER_OBJECTS_H

#include "../../include/memory_tracer/trace.h"
#include "address_object.h"
#include "memory_map.h"
#include "variable_table.h"

typedef struct UserObjects UserObjects;

/* The variables of the program or library that a running guest has mapped as code at `address`, from `offset` in it on:
 * as in the attachment `data/ID` (doc/trace_format.md), the same pointer whenever it is the same file; and what is
 * added to its addresses. NULL: nobody knows. */
typedef const char *(*UserFileFunc)(void *data, const char *path, uint64_t device, uint64_t address, uint64_t offset,
                                    uint64_t *bias);

/* The trace must stay. */
UserObjects *user_objects_read(mt_trace *trace);
/* Of a running guest: knows what is so now. Changes are added as they take place, with the index 0; from then on,
 * another position must be asked for. `function` may be NULL. */
UserObjects *user_objects_new_live(UserFileFunc function, void *data);
void user_objects_add(UserObjects *objects, const TraceChange *change);
void user_objects_free(UserObjects *objects);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UserObjects, user_objects_free)

/*
 * What `address` was in a memory (its number) at a position. Of memory 0, which isn't known: a variable, if the trace
 * tells nothing of tasks, so that there are no other addresses that it could be of. Positions may go back. False, with
 * OBJECT_UNKNOWN_USER, if it isn't known. *extent may be NULL. Variables have the linker's names.
 */
bool user_objects_find(UserObjects *objects, uint64_t position, uint32_t memory, uint64_t address,
                       AddressObject *object, ObjectExtent *extent);

/* The stack that a task has in a memory (memory_map_own_stack()). False if it has none of its own. */
bool user_objects_own_stack(const UserObjects *objects, uint32_t task, uint32_t memory, AddressObject *object);

/* Which memory a task has, and so on: what they are found in. */
const MemoryMap *user_objects_map(const UserObjects *objects);

/* A file's variables where it was loaded; of a memory (0: any). Called for each. */
typedef void (*UserVariableFunc)(void *data, const MappedObject *file, const Variable *variable, uint64_t bias);
void user_objects_list_variables(UserObjects *objects, UserVariableFunc function, void *data);

#endif
