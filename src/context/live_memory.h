/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a running guest's memory is used for now. Each change is added when it takes place. Only the present is known:
 * an answer holds until the next change.
 */
#ifndef MEMORY_TRACER_CONTEXT_LIVE_MEMORY_H
#define MEMORY_TRACER_CONTEXT_LIVE_MEMORY_H

#include "kernel_objects.h"
#include "user_objects.h"

/* What is known before the run. Each may be NULL, and must outlive the LiveMemory. */
typedef struct LiveFacts {
    const char *kallsyms, *modules, *iomem; /* as in the guest's /proc */
    UserFileFunc find_file;                 /* finds the variables of a program or library that the guest has mapped */
    void *find_file_data;
} LiveFacts;

/* Its owner adds changes by live_memory_add(); others only read. */
typedef struct LiveMemory {
    KernelNames *names;
    KernelObjects *kernel;
    UserObjects *user;
    /* How often each has changed. They stand for the positions when objects are asked for. */
    uint64_t kernel_changes, user_changes;
} LiveMemory;

LiveMemory *live_memory_new(const LiveFacts *facts);
void live_memory_free(LiveMemory *memory);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LiveMemory, live_memory_free)

/* Takes note of a change, which takes place now. Its index is ignored. */
void live_memory_add(LiveMemory *memory, const TraceChange *change);

#endif
