/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accesses that QEMU tells of wrongly: see corrections.h.
 *
 * What is to be done stands in the callback's userdata: in the bits of the record's info that are the vCPU's, which
 * isn't known yet when the instruction is translated.
 */
#include "corrections.h"

#include <string.h>

#include "x86.h"

#define VCPU_BITS (UINT64_C(0xffff) << GMBEOO_VCPU_SHIFT)
#define SIZE_BITS UINT64_C(7)

/* What a vCPU's current instruction has done so far. */
typedef struct {
    bool has_begun;          /* to load */
    uint64_t first_vaddr;    /* then: of its operand */
    CaptureAccess loaded[2]; /* the last two loads, the last one second */
} __attribute__((aligned(64))) Progress;

static Progress progress[RING_MAX_VCPUS];

/* In one thread, vCPUs take turns between instructions only, and QEMU doesn't tell which one it is. */
static Progress *progress_of(unsigned vcpu)
{
    return &progress[turns_are_taken() ? 0 : vcpu];
}

/* Loads that are wider than the operand. */

static void cut(CaptureAccess *access, unsigned size_shift)
{
    if ((access->info & SIZE_BITS) <= size_shift)
        return;
    access->info = (access->info & ~SIZE_BITS) | size_shift;
    if (size_shift < 4)
        access->value[1] = 0;
    if (size_shift < 3)
        access->value[0] &= (UINT64_C(1) << (8u << size_shift)) - 1;
}

/* The operand has 1 << size_shift bytes. QEMU loads the lowest piece first. */
static void load_operand(unsigned vcpu, CaptureAccess *access, unsigned size_shift)
{
    Progress *of = progress_of(vcpu);

    if (!of->has_begun) {
        of->has_begun = true;
        of->first_vaddr = access->vaddr;
    }
    if (access->vaddr - of->first_vaddr >= UINT64_C(1) << size_shift)
        return;
    cut(access, size_shift);
    capture_put(vcpu, access);
}

/* An instruction is executed, perhaps once more, as its last load has faulted. */
static void begin_cb(unsigned int vcpu, void *userdata)
{
    (void)userdata;
    progress_of(vcpu)->has_begun = false;
}

/* Loads and stores in a loop. */

static bool same_value(const CaptureAccess *a, const CaptureAccess *b)
{
    return !memcmp(a->value, b->value, sizeof a->value);
}

/* The loop ends when the second load, which is part of the exchange, has found what the first one had. */
static void retry(unsigned vcpu, const CaptureAccess *access, X86Accesses accesses)
{
    Progress *of = progress_of(vcpu);

    if (!(access->info & GMBEOO_STORE)) {
        of->loaded[0] = of->loaded[1];
        of->loaded[1] = *access;
        return;
    }
    if (same_value(&of->loaded[0], &of->loaded[1]) ||
        (accesses == X86_RETRIED_COMPARE_AND_ADD && same_value(access, &of->loaded[0]))) {
        capture_put(vcpu, &of->loaded[1]);
        capture_put(vcpu, access);
    }
}

static void correct_cb(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *userdata)
{
    uint64_t known = (uintptr_t)userdata;
    X86Accesses accesses = (X86Accesses)((known & VCPU_BITS) >> GMBEOO_VCPU_SHIFT);
    CaptureAccess access = capture_told((known & ~VCPU_BITS) | (uint64_t)vcpu << GMBEOO_VCPU_SHIFT, info, vaddr);

    switch (accesses) {
    case X86_LOADS_4:
    case X86_LOADS_8:
    case X86_LOADS_16:
        load_operand(vcpu, &access, 2 + (unsigned)(accesses - X86_LOADS_4));
        break;
    case X86_RETRIED_NEG:
    case X86_RETRIED_COMPARE_AND_ADD:
        retry(vcpu, &access, accesses);
        break;
    default:
        capture_put(vcpu, &access);
        break;
    }
}

bool corrections_instrument(struct qemu_plugin_insn *insn, uint64_t info)
{
    uint8_t bytes[16];
    X86Accesses accesses = x86_accesses(bytes, qemu_plugin_insn_data(insn, bytes, sizeof bytes));

    if (accesses == X86_AS_TOLD || x86_is_locked(accesses))
        return false;
    if (accesses <= X86_LOADS_16)
        qemu_plugin_register_vcpu_insn_exec_cb(insn, begin_cb, QEMU_PLUGIN_CB_NO_REGS, NULL);
    qemu_plugin_register_vcpu_mem_cb(insn, turns_are_taken() ? turns_wrap_corrected(correct_cb) : correct_cb,
                                     QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW,
                                     (void *)(uintptr_t)(info | (uint64_t)accesses << GMBEOO_VCPU_SHIFT));
    return true;
}
