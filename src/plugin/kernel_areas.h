/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parts of the guest kernel's address space: the fixed ones, each CPU's variables and interrupt stack, and what is
 * mapped by vmalloc() and its like. */
#ifndef MEMORY_TRACER_PLUGIN_KERNEL_AREAS_H
#define MEMORY_TRACER_PLUGIN_KERNEL_AREAS_H

#include "frames.h"
#include "memories.h"

/* Tells what there is. */
void kernel_areas_find_fixed(unsigned vcpu, const Frames *frames, MemoriesNote note);
/* The same for vmalloc()'s areas. False if this kernel's can't be told. */
bool kernel_areas_find_vmalloc(unsigned vcpu, MemoriesNote note);
/* There is one more, whose struct vm_struct is at `area`. */
void kernel_areas_on_vmalloc(unsigned vcpu, uint64_t area, MemoriesNote note);
/* The one that begins at this address goes. */
void kernel_areas_on_vfree(unsigned vcpu, uint64_t begin, MemoriesNote note);
/* The task of this number has the task_struct at `task`: tells its stack. */
void kernel_areas_on_task(unsigned vcpu, uint32_t number, uint64_t task, MemoriesNote note);

#endif
