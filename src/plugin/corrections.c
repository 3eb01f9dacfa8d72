/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accesses that QEMU reports wrongly: see corrections.h.
 *
 * The callback's userdata says what is to be done. It says it in the bits of the record's info that are for the vCPU,
 * because the vCPU isn't known yet when the instruction is translated.
 */
#include "corrections.h"

#include <string.h>

#include "../record/x86.h"
#include "interface.h"
#include "pages.h"

#define VCPU_BITS (UINT64_C(0xffff) << GMBEOO_VCPU_SHIFT)
#define SIZE_BITS UINT64_C(7)

/* How far a vCPU's current instruction has got. */
typedef struct {
    bool has_begun;          /* it has begun to load its operand */
    uint64_t first_vaddr;    /* the operand's address, if it has */
    CaptureAccess loaded[2]; /* the last two loads, the last one second */
    unsigned held;           /* how many of them are not recorded yet */
} __attribute__((aligned(64))) Progress;

static Progress progress[RING_MAX_VCPUS];
static struct qemu_plugin_register *rax, *rdx;

/* In one thread, vCPUs take turns between instructions only. QEMU doesn't tell which one executes, so they share one.
 */
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

/* Records the load of an operand of 1 << size_shift bytes. QEMU loads the lowest piece first; several pieces have 16
 * bytes each. */
static void load_operand(unsigned vcpu, CaptureAccess *access, unsigned size_shift)
{
    Progress *of = progress_of(vcpu);

    if (!of->has_begun) {
        of->has_begun = true;
        of->first_vaddr = access->vaddr;
    }
    if ((access->info & SIZE_BITS) == 4 && access->vaddr - of->first_vaddr >= UINT64_C(1) << size_shift)
        return;
    cut(access, size_shift);
    capture_put(vcpu, access);
}

/* An instruction begins, perhaps again because one of its accesses has faulted. */
static void begin_cb(unsigned int vcpu, void *userdata)
{
    (void)userdata;
    progress_of(vcpu)->has_begun = false;
    progress_of(vcpu)->held = 0;
}

/* Loads and stores in a loop. */

static bool same_value(const CaptureAccess *a, const CaptureAccess *b)
{
    return !memcmp(a->value, b->value, sizeof a->value);
}

static void retry_load(unsigned vcpu, Progress *of, const CaptureAccess *access)
{
    if (of->held && access->vaddr != of->loaded[1].vaddr) { /* it is LES, whose encoding looks like cmpccxadd's */
        capture_put(vcpu, &of->loaded[1]);
        capture_put(vcpu, access);
        of->held = 0;
        return;
    }
    of->loaded[0] = of->loaded[1];
    of->loaded[1] = *access;
    of->held++;
}

/* The loop ends when the second load, which is part of the exchange, has found the same value as the first one. */
static void retry(unsigned vcpu, const CaptureAccess *access, X86Accesses accesses)
{
    Progress *of = progress_of(vcpu);

    if (!(access->info & GMBEOO_STORE)) {
        retry_load(vcpu, of, access);
        return;
    }
    of->held = 0;
    if (same_value(&of->loaded[0], &of->loaded[1]) ||
        (accesses == X86_RETRIED_COMPARE_AND_ADD && same_value(access, &of->loaded[0]))) {
        capture_put(vcpu, &of->loaded[1]);
        capture_put(vcpu, access);
    }
}

/*
 * The values of locked instructions.
 *
 * Where vCPUs run at the same time, QEMU executes a locked instruction in a single step (accel/tcg/atomic_template.h),
 * and reports the load and the store afterwards. As the stored value it reports the operand of the step, and as the
 * loaded value the result of the step, which is the old value or the new one. So both reports are needed before either
 * access can be recorded.
 */

/* QEMU executes it like other instructions, while the other vCPUs stand still, if the operand isn't aligned or is in
 * device memory. */
static bool is_single_step(const CaptureAccess *access)
{
    const struct qemu_plugin_hwaddr *address;

    if (access->vaddr & ((UINT64_C(1) << (access->info & SIZE_BITS)) - 1))
        return false;
    address = qemu_plugin_get_hwaddr(access->meminfo, access->vaddr);
    return !address || !qemu_plugin_hwaddr_is_io(address);
}

static void set_unknown(CaptureAccess *access)
{
    access->info |= ROW_VALUE_UNKNOWN;
    access->value[0] = access->value[1] = 0;
}

/* Corrects the values of locked instructions of at most 8 bytes. `loaded` and `stored` are as QEMU reports them, and
 * become what took place. */
static void work_out(CaptureAccess *loaded, CaptureAccess *stored, X86Accesses accesses)
{
    unsigned bits = 8u << (loaded->info & SIZE_BITS);
    uint64_t mask = bits < 64 ? (UINT64_C(1) << bits) - 1 : UINT64_MAX;
    uint64_t told = loaded->value[0], operand = stored->value[0];

    switch (accesses) {
    case X86_TELLS_OLD_ADD:
        stored->value[0] = (told + operand) & mask;
        break;
    case X86_TELLS_OLD_OR:
        stored->value[0] = told | operand;
        break;
    case X86_TELLS_OLD_AND:
        stored->value[0] = told & operand;
        break;
    case X86_TELLS_OLD_XOR:
        stored->value[0] = told ^ operand;
        break;
    case X86_TELLS_NEW_ADD:
        loaded->value[0] = (told - operand) & mask;
        stored->value[0] = told;
        break;
    case X86_TELLS_NEW_XOR:
        loaded->value[0] = told ^ operand;
        stored->value[0] = told;
        break;
    case X86_TELLS_NEW_OR:
        stored->value[0] = told;
        if (operand) /* the result no longer shows what was there */
            set_unknown(loaded);
        break;
    case X86_TELLS_NEW_AND:
        stored->value[0] = told;
        if (operand != mask)
            set_unknown(loaded);
        break;
    default:
        break;
    }
}

static bool read_general_register(struct qemu_plugin_register *handle, uint64_t *value)
{
    static __thread GByteArray *buffer;

    if (!buffer)
        buffer = g_byte_array_new();
    g_byte_array_set_size(buffer, 0);
    if (!handle || !interface_read_register(handle, buffer) || buffer->len != sizeof *value)
        return false;
    memcpy(value, buffer->data, sizeof *value);
    return true;
}

/* The stored value depends on what the instruction compares with, which is still in its registers. */
static void work_out_compared(const CaptureAccess *loaded, CaptureAccess *stored, X86Accesses accesses)
{
    uint64_t expected[2] = { 0, 0 }, high = 0;
    unsigned bytes = 1u << (loaded->info & SIZE_BITS);

    if (!read_general_register(rax, &expected[0]) ||
        (accesses == X86_COMPARES_PAIR && !read_general_register(rdx, &high))) {
        set_unknown(stored);
        return;
    }
    if (accesses == X86_COMPARES_PAIR && bytes == 16)
        expected[1] = high;
    else if (accesses == X86_COMPARES_PAIR)
        expected[0] = (uint32_t)expected[0] | high << 32;
    else if (bytes < 8)
        expected[0] &= (UINT64_C(1) << 8 * bytes) - 1;
    if (memcmp(loaded->value, expected, sizeof expected))
        memcpy(stored->value, loaded->value, sizeof stored->value);
}

static void correct_locked(unsigned vcpu, CaptureAccess *access, X86Accesses accesses)
{
    Progress *of = progress_of(vcpu);

    if (!(access->info & GMBEOO_STORE)) {
        of->held = is_single_step(access);
        if (of->held)
            of->loaded[1] = *access;
        else
            capture_put(vcpu, access);
        return;
    }
    if (of->held) {
        if (accesses >= X86_COMPARES_ACCUMULATOR)
            work_out_compared(&of->loaded[1], access, accesses);
        else
            work_out(&of->loaded[1], access, accesses);
        capture_put(vcpu, &of->loaded[1]);
    }
    of->held = 0;
    capture_put(vcpu, access);
}

static void correct_cb(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *userdata)
{
    uint64_t known = (uintptr_t)userdata;
    X86Accesses accesses = (X86Accesses)((known & VCPU_BITS) >> GMBEOO_VCPU_SHIFT);
    bool with_value = accesses > X86_LOADS_16 || ring_fields(plugin.ring) & MT_FIELD_VALUE;
    CaptureAccess access =
        capture_told((known & ~VCPU_BITS) | (uint64_t)vcpu << GMBEOO_VCPU_SHIFT, info, vaddr, with_value);

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
        correct_locked(vcpu, &access, accesses);
        break;
    }
}

/* For locked instructions, only values are wrong, and only where QEMU executes them in single steps. */
static bool is_to_be_corrected(X86Accesses accesses)
{
    if (x86_is_locked(accesses))
        return plugin.phase == PHASE_TRACING && ring_fields(plugin.ring) & MT_FIELD_VALUE && plugin.vcpus > 1 &&
               !plugin.one_thread;
    return accesses != X86_AS_TOLD;
}

void corrections_init(void)
{
    g_autoptr(GArray) registers = rax ? NULL : qemu_plugin_get_registers();

    if (!registers)
        return;
    rax = interface_find_register(registers, "rax");
    rdx = interface_find_register(registers, "rdx");
}

bool corrections_instrument(struct qemu_plugin_insn *insn, uint64_t info)
{
    uint8_t bytes[16];
    X86Accesses accesses = x86_accesses(bytes, qemu_plugin_insn_data(insn, bytes, sizeof bytes));

    if (!is_to_be_corrected(accesses))
        return false;
    if (!x86_is_locked(accesses))
        qemu_plugin_register_vcpu_insn_exec_cb(insn, begin_cb, QEMU_PLUGIN_CB_NO_REGS, NULL);
    qemu_plugin_register_vcpu_mem_cb(
        insn, turns_are_taken() ? turns_wrap_corrected(correct_cb) : correct_cb,
        accesses >= X86_COMPARES_ACCUMULATOR ? QEMU_PLUGIN_CB_R_REGS : pages_callback_flags(), QEMU_PLUGIN_MEM_RW,
        (void *)(uintptr_t)(info | (uint64_t)accesses << GMBEOO_VCPU_SHIFT));
    return true;
}
