/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two halves of memory_map.h: memory_map.c answers, memory_changes.c goes through the changes. */
#ifndef MEMORY_TRACER_CONTEXT_MEMORY_MAP_PRIVATE_H
#define MEMORY_TRACER_CONTEXT_MEMORY_MAP_PRIVATE_H

#include "memory_map.h"

/* A trace that isn't honest can make us take memory for this many stretches at most. */
#define MEMORY_MAP_STRETCHES_MAX (1u << 24)

typedef struct {
    GArray *now;       /* Stretch: what is mapped, by address, while changes are gone through; `to` means nothing */
    GArray *stretches; /* Stretch: those that have ended */
    uint32_t owner;    /* number of the first task that has had it */
    /* For memory_map_find(), made at the end: */
    GArray *borders; /* uint64_t: where stretches begin or end, by address */
    guint *cells;    /* where in `members` those of the addresses from a border to the next one begin */
    guint *members;  /* indexes of stretches, of each cell by time */
} Memory;

typedef struct {
    uint32_t tid, pid;
    uint32_t memory;       /* its current one, or 0 */
    bool is_known;         /* whether tid and pid are known */
    uint32_t stack_memory; /* where it has a stack of its own, or 0 */
    Stretch stack;
} MapTask;

struct MemoryMap {
    GPtrArray *memories; /* Memory by number, or NULL */
    GPtrArray *tasks;    /* MapTask by number, or NULL */
    TaskMemory *task_memory;
    GArray *objects; /* MappedObject */
    GStringChunk *texts;
    guint stretches;      /* of all memories, so far */
    uint64_t last_number; /* the highest number that a task or a memory can have */
    bool is_live;
};

/* Goes through all of them: fills `now`, `stretches`, `tasks` and `objects`, but not the objects' names. */
void memory_changes_apply(MemoryMap *map, const TraceChanges *changes);
/* Goes on with one more, of a running guest. */
void memory_changes_add(MemoryMap *map, const TraceChange *change);
/* What a memory has at an address while changes are gone through, or NULL. */
const Stretch *memory_changes_find(const Memory *memory, uint64_t address);

#endif
