/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a thread's stack is in its process's memory. */
#ifndef MEMORY_TRACER_PLUGIN_USER_STACK_H
#define MEMORY_TRACER_PLUGIN_USER_STACK_H

#include <stdint.h>

#include "memories.h"

/* Tells where the stack of a task is that shares its memory with others, unless it goes on with its creator's, as after
 * vfork(). `structure`: its task_struct; it executes the kernel, or is new. `creator`: that of the task that is
 * creating it by clone(), or 0. `task`, `memory`: their numbers. Nothing is told of a task of the kernel's own. */
void user_stack_note(unsigned vcpu, uint32_t task, uint32_t memory, uint64_t structure, uint64_t creator,
                     MemoriesNote note);

#endif
