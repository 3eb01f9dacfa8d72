/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a thread's stack lies in its process's memory. */
#ifndef MEMORY_TRACER_PLUGIN_USER_STACK_H
#define MEMORY_TRACER_PLUGIN_USER_STACK_H

#include <stdint.h>

#include "memories.h"

/* Tells the stack of a task that shares its memory with others, unless it uses its creator's stack, as after vfork().
 * `structure`: its task_struct; the task executes the kernel, or is new. `creator`: the task_struct of the task that is
 * creating it by clone(), or 0. `task`, `memory`: their numbers. Kernel threads have no such stack. */
void user_stack_note(unsigned vcpu, uint32_t task, uint32_t memory, uint64_t structure, uint64_t creator,
                     MemoriesNote note);

#endif
