/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the guest's kernel uses its memory for: slabs, page tables, stacks, vmalloc. It is told once, when the kernel
 * executes one of the functions that we look for; then each change is, where it takes place. With the tasks' lock held.
 */
#ifndef MEMORY_TRACER_PLUGIN_KERNEL_MEMORY_H
#define MEMORY_TRACER_PLUGIN_KERNEL_MEMORY_H

#include "memories.h"
#include "plugin.h"

/* A run begins. */
void kernel_memory_begin(void);
/* Whether it is to be told at all. */
bool kernel_memory_is_wanted(void);
/* Tells what there is, unless that has been done. While a vCPU executes the kernel. */
void kernel_memory_look(unsigned vcpu, MemoriesNote note);
/* Whether one of the kernel's functions is here for this; and whether its begin and its end matter. */
bool kernel_memory_heeds(unsigned function);
bool kernel_memory_heeds_begin(unsigned function);
bool kernel_memory_heeds_end(unsigned function);
/* It is executed, or returns. *entry: where a task keeps what is needed from the one to the other. */
void kernel_memory_on_function(unsigned vcpu, unsigned function, uint64_t *entry, MemoriesNote note);
void kernel_memory_on_end(unsigned vcpu, unsigned function, uint64_t *entry, MemoriesNote note);
/* A task that has not been seen before. */
void kernel_memory_on_task(unsigned vcpu, uint32_t number, uint64_t task, MemoriesNote note);

#endif
