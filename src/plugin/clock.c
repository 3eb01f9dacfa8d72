/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's clock, where it counts instructions (QEMU's -icount): plugins can't read it, but they can count, too.
 * Time in which a vCPU is halted is missing.
 */
#include "plugin.h"

static qemu_plugin_u64 instructions;

static uint64_t elapsed_ns(void)
{
    return qemu_plugin_u64_sum(instructions) << plugin.options.icount_shift;
}

static bool is_needed(void)
{
    return plugin.options.icount && (ring_fields(plugin.ring) & MT_FIELD_TIME);
}

void clock_init(void)
{
    if (!is_needed())
        return;
    instructions = (qemu_plugin_u64){ .score = qemu_plugin_scoreboard_new(64) }; /* a cache line each */
    ring_set_clock(plugin.ring, elapsed_ns);
}

void clock_instrument_block(struct qemu_plugin_tb *tb)
{
    if (is_needed())
        qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(tb, QEMU_PLUGIN_INLINE_ADD_U64, instructions,
                                                          qemu_plugin_tb_n_insns(tb));
}
