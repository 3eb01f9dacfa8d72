/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was mapped where and when in the guest's processes, as a trace's changes tell. Each memory (address space)
 * consists of stretches of addresses and of time. They are made once; then questions may be about any address and time.
 */
#ifndef MEMORY_TRACER_CONTEXT_MEMORY_MAP_H
#define MEMORY_TRACER_CONTEXT_MEMORY_MAP_H

#include <glib.h>
#include <stdbool.h>

#include "../trace/changes.h"
#include "address_object.h"
#include "task_memory.h"

/* Something in a memory: a stack, a heap, the result of one mmap(), a file. `task` is the number of the task whose
 * stack it is, else 0. Positions are indexes of records: from `from` to `to` - 1 (UINT64_MAX: to the end). */
typedef struct MappedObject {
    ObjectRegion region;
    const char *name;
    const char *path; /* of a file, or "" */
    uint64_t device, inode;
    uint64_t begin, end; /* its lowest and its highest address at any time, the latter plus 1 */
    uint64_t from, to;
    uint32_t memory, task;
    uint32_t owner; /* number of the first task that had the memory, or 0 */
    uint32_t pid;   /* the owner's process's, or 0 */
} MappedObject;

/* A part of an object's addresses, for as long as it was mapped in the same way. */
typedef struct Stretch {
    uint64_t begin, end; /* addresses */
    uint64_t from, to;   /* positions */
    uint64_t base;       /* the address of the file's first byte, if it were mapped */
    uint32_t object;     /* memory_map_object() */
} Stretch;

typedef struct MemoryMap MemoryMap;

/* NULL is a trace that tells nothing. */
MemoryMap *memory_map_new(const TraceChanges *changes);
/* The same for a running guest: it knows the present only, and ignores positions. Changes are added as they take place,
 * with the index 0. */
MemoryMap *memory_map_new_live(void);
void memory_map_add(MemoryMap *map, const TraceChange *change);
void memory_map_free(MemoryMap *map);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MemoryMap, memory_map_free)

/* The number of the memory that a task has at a position; 0: it has none, or that isn't known. The answer holds from
 * *from up to, not including, *until. */
uint32_t memory_map_memory_of(const MemoryMap *map, uint32_t task, uint64_t position, uint64_t *from, uint64_t *until);

/* A task's own stack in a memory; NULL if it has none there but the process's main one. The task keeps it for its whole
 * life, so no position is needed. (It could be wrong by some records where another vCPU has created the task.) */
const Stretch *memory_map_own_stack(const MemoryMap *map, uint32_t task, uint32_t memory);

/* What a memory has at an address and a position: NULL if it never had anything there. vCPUs that run at the same time
 * have no exact order; so if nothing was there at this very position, the nearest in time is the answer. */
const Stretch *memory_map_find(const MemoryMap *map, uint32_t memory, uint64_t position, uint64_t address);

uint32_t memory_map_memories(const MemoryMap *map);
/* Of a running guest: what a memory has mapped now, sorted by address. */
const Stretch *memory_map_now(const MemoryMap *map, uint32_t memory, guint *count);
/* All stretches of a memory, in no order. */
const Stretch *memory_map_stretches(const MemoryMap *map, uint32_t memory, guint *count);
uint32_t memory_map_objects(const MemoryMap *map);
/* Its number is below memory_map_objects(). */
const MappedObject *memory_map_object(const MemoryMap *map, uint32_t number);

#endif
