/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was mapped where and when in the guest's processes, as a trace's changes tell: each memory (address space) as
 * stretches of addresses and of time. All of it is found once; then any place and time can be asked for.
 */
#ifndef MEMORY_TRACER_CONTEXT_MEMORY_MAP_H
#define MEMORY_TRACER_CONTEXT_MEMORY_MAP_H

#include <glib.h>
#include <stdbool.h>

#include "../trace/changes.h"
#include "address_object.h"
#include "task_memory.h"

/* Something in a memory: a stack, a heap, what one mmap() made, a file. `task` is the number of the one whose stack it
 * is, else 0. Positions are numbers of records: from `from` to `to` - 1 (UINT64_MAX: to the end). */
typedef struct MappedObject {
    ObjectRegion region;
    const char *name;
    const char *path; /* of a file, or "" */
    uint64_t device, inode;
    uint64_t begin, end; /* the first and the last address that it had at any time, the latter plus 1 */
    uint64_t from, to;
    uint32_t memory, task;
    uint32_t owner; /* number of the task that has had the memory first, or 0 */
    uint32_t pid;   /* the owner's process's, or 0 */
} MappedObject;

/* A part of one that didn't change. */
typedef struct Stretch {
    uint64_t begin, end; /* addresses */
    uint64_t from, to;   /* positions */
    uint64_t base;       /* the address of the file's first byte, if it were mapped */
    uint32_t object;     /* memory_map_object() */
} Stretch;

typedef struct MemoryMap MemoryMap;

/* NULL is a trace that tells nothing. */
MemoryMap *memory_map_new(const TraceChanges *changes);
/* Of a running guest: knows what is so now, whatever position is asked for. Changes are added as they take place, with
 * the index 0. */
MemoryMap *memory_map_new_live(void);
void memory_map_add(MemoryMap *map, const TraceChange *change);
void memory_map_free(MemoryMap *map);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MemoryMap, memory_map_free)

/* The memory that a task has at a position, 0 if it has none or that isn't known; from which position to which (that
 * one is not part of it) it has it. */
uint32_t memory_map_memory_of(const MemoryMap *map, uint32_t task, uint64_t position, uint64_t *from, uint64_t *until);

/* The stack that a task has in a memory, if it has one of its own there, and not the process's main one; or NULL. It is
 * the task's as long as there is the task, so no position is needed, which may be wrong by some records when another
 * vCPU has created the task. */
const Stretch *memory_map_own_stack(const MemoryMap *map, uint32_t task, uint32_t memory);

/* What a memory has at an address and a position: NULL if it never had anything there. What vCPUs do at the same time
 * has no exact order, so without an answer for this very position, the nearest in time is given. */
const Stretch *memory_map_find(const MemoryMap *map, uint32_t memory, uint64_t position, uint64_t address);

uint32_t memory_map_memories(const MemoryMap *map);
/* Of a running guest: what a memory has now, by address. */
const Stretch *memory_map_now(const MemoryMap *map, uint32_t memory, guint *count);
/* Of a memory (its number), in no order. */
const Stretch *memory_map_stretches(const MemoryMap *map, uint32_t memory, guint *count);
uint32_t memory_map_objects(const MemoryMap *map);
/* Its number is below memory_map_objects(). */
const MappedObject *memory_map_object(const MemoryMap *map, uint32_t number);

#endif
