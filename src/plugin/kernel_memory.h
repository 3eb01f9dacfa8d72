/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the guest's kernel uses its memory for: slabs, page tables, stacks, vmalloc. All of it is surveyed once, when
 * the kernel executes the first of the wanted functions; then each change is told where it takes place. The caller of
 * all functions holds the tasks' lock. */
#ifndef MEMORY_TRACER_PLUGIN_KERNEL_MEMORY_H
#define MEMORY_TRACER_PLUGIN_KERNEL_MEMORY_H

#include "memories.h"
#include "plugin.h"

/* A run begins. */
void kernel_memory_begin(void);
/* Whether the recorder wants it. */
bool kernel_memory_is_wanted(void);
/* Makes the survey, unless that has been done. To be called while this vCPU executes the kernel. */
void kernel_memory_look(unsigned vcpu, MemoriesNote note);
/* Whether a kernel function changes what memory is used for, so that its entry or its end must be seen. */
bool kernel_memory_watches(unsigned function);
bool kernel_memory_watches_begin(unsigned function);
bool kernel_memory_watches_end(unsigned function);
/* Such a function is entered, or returns. *entry is kept for the task from the one to the other. */
void kernel_memory_on_function(unsigned vcpu, unsigned function, uint64_t *entry, MemoriesNote note);
void kernel_memory_on_end(unsigned vcpu, unsigned function, uint64_t *entry, MemoriesNote note);
/* Tells the kernel stack of a task that is seen for the first time. */
void kernel_memory_on_task(unsigned vcpu, uint32_t number, uint64_t task, MemoriesNote note);

#endif
