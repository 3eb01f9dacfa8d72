/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the instructions at which one of the wanted kernel functions is entered or left, when they are translated. */
#ifndef MEMORY_TRACER_PLUGIN_KERNEL_FUNCTIONS_H
#define MEMORY_TRACER_PLUGIN_KERNEL_FUNCTIONS_H

#include <stdbool.h>

#include "../record/kernel_layout.h"
#include "qemu_api.h"

/* A flag beside a KernelFunction: the function returns. Without it, the function is entered. */
#define KERNEL_FUNCTION_LEAVES 0x100u

/* To be called once, when the kernel's layout is known. */
void kernel_functions_init(void);

/* Calls `found` for each wanted function that is entered or left at the instruction. `what` is a KernelFunction,
 * perhaps with the flag. */
void kernel_functions_find(struct qemu_plugin_insn *insn, void (*found)(struct qemu_plugin_insn *insn, unsigned what));

#endif
