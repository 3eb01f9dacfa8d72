/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counts accesses inline: see counting.h. */
#include "counting.h"

#include "phase.h"

/* Counting inline is worth two flushes of QEMU's translations if at least this many accesses are skipped. */
#define WORTH_COUNTING (UINT64_C(1) << 24)
/* Callbacks begin again this many accesses before the next traced ones. A translation block makes at most 2^17 accesses
 * (a repeated string instruction). */
#define COUNTING_MARGIN (UINT64_C(1) << 18)
/* After this many accesses, the totals that others see are updated. */
#define COUNTING_REPORT (UINT64_C(1) << 25)
/* Each block compares its vCPU's counter with this. */
#define COUNTING_LIMIT (UINT64_C(1) << 63)

/* A vCPU's counter when it was looked at last. */
typedef struct {
    uint64_t value;
} __attribute__((aligned(64))) CountedFrom;

static Sampler *samplers;
static CountedFrom counted_from[RING_MAX_VCPUS];
static qemu_plugin_u64 counter;

void counting_init(Sampler *of_vcpus)
{
    samplers = of_vcpus;
    counter = (qemu_plugin_u64){ .score = qemu_plugin_scoreboard_new(64) }; /* a cache line each */
}

bool counting_is_possible(void)
{
    if (sampler_is_trivial(&plugin.options.sampler) || !qemu_plugin_num_vcpus() || turns_are_taken())
        return false;
    for (unsigned i = 0; i < plugin.vcpus; i++)
        if (samplers[i].skip_left <= 2 * COUNTING_MARGIN)
            return false;
    return true;
}

bool counting_is_worth_it(unsigned vcpu)
{
    return samplers[vcpu].skip_left >= WORTH_COUNTING && !plugin.options.roi && counting_is_possible();
}

void counting_take(unsigned vcpu)
{
    uint64_t now = qemu_plugin_u64_get(counter, vcpu), missed;

    missed = sampler_pass(&samplers[vcpu], &plugin.options.sampler, now - counted_from[vcpu].value);
    counted_from[vcpu].value = now;
    if (missed) /* a translation block was longer than COUNTING_MARGIN allows */
        ring_add_dropped(plugin.ring, vcpu, missed);
}

/* Sets the counter so that it reaches the limit when the next check is due. */
static void set_counter(unsigned vcpu)
{
    uint64_t left = samplers[vcpu].skip_left;
    uint64_t until = left > COUNTING_MARGIN ? MIN(left - COUNTING_MARGIN, COUNTING_REPORT) : 0;

    counted_from[vcpu].value = COUNTING_LIMIT - until;
    qemu_plugin_u64_set(counter, vcpu, COUNTING_LIMIT - until);
}

static void counter_limit_cb(unsigned int vcpu, void *userdata)
{
    (void)userdata;
    counting_take(vcpu);
    capture_tell_skipped(vcpu);
    if (samplers[vcpu].skip_left > COUNTING_MARGIN)
        set_counter(vcpu);
    else
        phase_reconsider();
}

void counting_instrument(struct qemu_plugin_insn *insn)
{
    qemu_plugin_register_vcpu_mem_inline_per_vcpu(insn, QEMU_PLUGIN_MEM_RW, QEMU_PLUGIN_INLINE_ADD_U64, counter, 1);
}

void counting_instrument_block(struct qemu_plugin_tb *tb)
{
    qemu_plugin_register_vcpu_tb_exec_cond_cb(tb, counter_limit_cb, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_COND_GE,
                                              counter, COUNTING_LIMIT, NULL);
}

void counting_add(unsigned vcpu)
{
    qemu_plugin_u64_set(counter, vcpu, qemu_plugin_u64_get(counter, vcpu) + 1);
}

void counting_begin(void)
{
    for (int i = 0; i < qemu_plugin_num_vcpus(); i++)
        set_counter((unsigned)i);
}

void counting_end(void)
{
    for (int i = 0; i < qemu_plugin_num_vcpus(); i++) {
        counting_take((unsigned)i);
        capture_tell_skipped((unsigned)i);
    }
}
