/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accesses that are counted inline, as sampling skips very many (PHASE_COUNTING). Each block compares the count with
 * the place at which we must look again, which comes before the next traced block by so much that no block jumps over
 * it.
 */
#ifndef MEMORY_TRACER_PLUGIN_COUNTING_H
#define MEMORY_TRACER_PLUGIN_COUNTING_H

#include "plugin.h"

/* `samplers`: those of the vCPUs. */
void counting_init(Sampler *samplers);
/* Whether all vCPUs will skip so many accesses that they need no more than be counted. */
bool counting_is_possible(void);
/* The same, and whether a vCPU skips so many that it is worth it. */
bool counting_is_worth_it(unsigned vcpu);
/* Makes an instruction's accesses be counted, and a block compare. */
void counting_instrument(struct qemu_plugin_insn *insn);
void counting_instrument_block(struct qemu_plugin_tb *tb);
/* One access of an instruction that calls us nevertheless. */
void counting_add(unsigned vcpu);
/* Takes what was counted into the sampler's account. By that vCPU, or while all stand still. */
void counting_take(unsigned vcpu);
/* While all vCPUs stand still: the phase begins, and ends. */
void counting_begin(void);
void counting_end(void);

#endif
