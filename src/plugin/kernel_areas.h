/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Areas of the guest kernel's address space: the fixed ones, each CPU's variables and interrupt stack, and the areas of
 * vmalloc() and similar functions. */
#ifndef MEMORY_TRACER_PLUGIN_KERNEL_AREAS_H
#define MEMORY_TRACER_PLUGIN_KERNEL_AREAS_H

#include "frames.h"
#include "memories.h"

/* Appends the changes that tell the fixed areas, and each CPU's. */
void kernel_areas_find_fixed(unsigned vcpu, const Frames *frames, MemoriesNote note);
/* The same for the areas of vmalloc(). False if they can't be found in this kernel. */
bool kernel_areas_find_vmalloc(unsigned vcpu, MemoriesNote note);
/* An area was made, whose struct vm_struct is at `area`. */
void kernel_areas_on_vmalloc(unsigned vcpu, uint64_t area, MemoriesNote note);
/* The area that begins at this address goes. */
void kernel_areas_on_vfree(unsigned vcpu, uint64_t begin, MemoriesNote note);
/* Tells the kernel stack of the task of this number, whose task_struct is at `task`. */
void kernel_areas_on_task(unsigned vcpu, uint32_t number, uint64_t task, MemoriesNote note);

#endif
