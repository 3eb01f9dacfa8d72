/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a thread's stack is in its process's memory. */
#ifndef MEMORY_TRACER_PLUGIN_USER_STACK_H
#define MEMORY_TRACER_PLUGIN_USER_STACK_H

#include <stdbool.h>
#include <stdint.h>

typedef struct UserStack {
    uint64_t begin; /* 0: not known: where the mapping begins */
    uint64_t end;
    uint64_t pointer; /* the stack pointer */
} UserStack;

/* Of the task (task_struct) at `structure`, which executes the kernel, or is new. `creator`: the task that is creating
 * it by clone(), or 0. False for a task of the kernel's own, or if it can't be read. */
bool user_stack_read(uint64_t structure, uint64_t creator, UserStack *stack);

#endif
