/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which task of the guest's kernel each vCPU executes: a process's thread, a thread of the kernel, or the idle task;
 * and whether an interrupt has come in between. The kernel itself tells, without knowing: its functions that switch
 * tasks, start and end them are looked for when they are translated, and call us when they are executed.
 */
#ifndef MEMORY_TRACER_PLUGIN_TASKS_H
#define MEMORY_TRACER_PLUGIN_TASKS_H

#include "plugin.h"

/* Instruments an instruction of the kernel that is being translated, if it begins or ends such a function. */
void tasks_look_for_function(struct qemu_plugin_insn *insn);
/* A run begins, while all vCPUs stand still. `process_ends` is called when a process does. */
void tasks_begin(void (*process_ends)(uint32_t process));
/* The number of the process that a vCPU executes now, which is ours; 0 if that isn't known. */
uint32_t tasks_process_of(unsigned vcpu);

#endif
