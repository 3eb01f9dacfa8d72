/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which task of the guest's kernel each vCPU executes: a process's thread, a thread of the kernel, or the idle task;
 * and whether an interrupt has come in between. The kernel needs no change: its functions that switch, start and end
 * tasks are found when they are translated, and get callbacks.
 */
#ifndef MEMORY_TRACER_PLUGIN_TASKS_H
#define MEMORY_TRACER_PLUGIN_TASKS_H

#include "plugin.h"

/* Instruments an instruction of the kernel that is being translated, if it is the entry or the end of such a function.
 */
void tasks_look_for_function(struct qemu_plugin_insn *insn);
/* A run begins. `process_ends` is called when a process ends. To be called while all vCPUs stand still. */
void tasks_begin(void (*process_ends)(uint32_t process));
/* Records were dropped, and events with them: puts the vCPU's last one once more. */
void tasks_tell_again(unsigned vcpu);
/* The number of the process that a vCPU executes now, which only this program knows; 0: unknown. */
uint32_t tasks_process_of(unsigned vcpu);

#endif
