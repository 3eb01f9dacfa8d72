/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accesses that are counted inline, while sampling skips very many of them (PHASE_COUNTING). Each translation block
 * compares the count with a limit. The limit lies before the next traced accesses, by so much that no translation block
 * can pass them.
 */
#ifndef MEMORY_TRACER_PLUGIN_COUNTING_H
#define MEMORY_TRACER_PLUGIN_COUNTING_H

#include "plugin.h"

/* `samplers`: one for each vCPU. */
void counting_init(Sampler *samplers);
/* Whether all vCPUs will skip so many accesses that counting them is enough. */
bool counting_is_possible(void);
/* The same, and whether this vCPU will skip so many that it is worth the switch. */
bool counting_is_worth_it(unsigned vcpu);
/* Instruments an instruction to count its accesses, and a translation block to compare the count. */
void counting_instrument(struct qemu_plugin_insn *insn);
void counting_instrument_block(struct qemu_plugin_tb *tb);
/* Counts one access of an instruction that has a callback nevertheless. */
void counting_add(unsigned vcpu);
/* Adds what was counted to the sampler. To be called by that vCPU, or while all vCPUs stand still. */
void counting_take(unsigned vcpu);
/* The phase begins, and ends. To be called while all vCPUs stand still. */
void counting_begin(void);
void counting_end(void);

#endif
