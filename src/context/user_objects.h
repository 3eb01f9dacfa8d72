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

/* The variables of the program or library that a running guest has mapped as code at `address`, from `offset` in the
 * file on, in the form of the attachment `data/ID` (doc/trace_format.md). The same file always gives the same pointer.
 * *bias is added to the file's addresses. NULL: not known. */
typedef const char *(*UserFileFunc)(void *data, const char *path, uint64_t device, uint64_t address, uint64_t offset,
                                    uint64_t *bias);

/* The trace must outlive the result. */
UserObjects *user_objects_read(mt_trace *trace);
/* The same for a running guest: it knows the present only. Changes are added as they take place, with the index 0;
 * after each, questions must have a new position. `function` may be NULL. */
UserObjects *user_objects_new_live(UserFileFunc function, void *data);
void user_objects_add(UserObjects *objects, const TraceChange *change);
void user_objects_free(UserObjects *objects);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UserObjects, user_objects_free)

/*
 * What lay at `address` in a memory (its number) at a position. In memory 0, which is the unknown one, only variables
 * are found, and only if the trace has no tasks: then nothing else can be at a variable's address. Positions may go
 * back. False, with OBJECT_UNKNOWN_USER, if it isn't known. *extent may be NULL. Variables have their linker names.
 */
bool user_objects_find(UserObjects *objects, uint64_t position, uint32_t memory, uint64_t address,
                       AddressObject *object, ObjectExtent *extent);

/* The stack that a task has in a memory (memory_map_own_stack()). False if it has none of its own. */
bool user_objects_own_stack(const UserObjects *objects, uint32_t task, uint32_t memory, AddressObject *object);

/* The memory map in which objects are found. It belongs to `objects`. */
const MemoryMap *user_objects_map(const UserObjects *objects);

/* Called for each variable of each file, at each bias at which the file was loaded. */
typedef void (*UserVariableFunc)(void *data, const MappedObject *file, const Variable *variable, uint64_t bias);
void user_objects_list_variables(UserObjects *objects, UserVariableFunc function, void *data);

#endif
