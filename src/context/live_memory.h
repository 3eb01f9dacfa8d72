/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the memory of a guest that is running is used for now: its changes are added one after the other, each when it
 * takes place. Only the present is known, so all that is found holds until the next change.
 */
#ifndef MEMORY_TRACER_CONTEXT_LIVE_MEMORY_H
#define MEMORY_TRACER_CONTEXT_LIVE_MEMORY_H

#include "kernel_objects.h"
#include "user_objects.h"

/* What is known before the run. All of it must stay; each may be NULL. */
typedef struct LiveFacts {
    const char *kallsyms, *modules, *iomem; /* as in the guest's /proc */
    UserFileFunc find_file;                 /* gives the program or library that the guest has mapped */
    void *find_file_data;
} LiveFacts;

/* Its owner adds changes by live_memory_add(); others only read. */
typedef struct LiveMemory {
    KernelNames *names;
    KernelObjects *kernel;
    UserObjects *user;
    /* How often each has changed. These are the positions that the finders are asked about. */
    uint64_t kernel_changes, user_changes;
} LiveMemory;

LiveMemory *live_memory_new(const LiveFacts *facts);
void live_memory_free(LiveMemory *memory);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LiveMemory, live_memory_free)

/* The change takes place. Its index doesn't matter. */
void live_memory_add(LiveMemory *memory, const TraceChange *change);

#endif
