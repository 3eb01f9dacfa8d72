/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which of the instructions that are translated begin or end one of the kernel's functions that we look for. */
#ifndef MEMORY_TRACER_PLUGIN_KERNEL_FUNCTIONS_H
#define MEMORY_TRACER_PLUGIN_KERNEL_FUNCTIONS_H

#include <stdbool.h>

#include "../record/kernel_layout.h"
#include "qemu_api.h"

/* Beside a KernelFunction: it returns. Without, it is entered. */
#define KERNEL_FUNCTION_LEAVES 0x100u

/* To be called once, when the kernel's layout is known. */
void kernel_functions_init(void);

/* Calls `found` for each function that the instruction begins or ends, if what is looked for in it is there. */
void kernel_functions_find(struct qemu_plugin_insn *insn, void (*found)(struct qemu_plugin_insn *insn, unsigned what));

#endif
