/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which vCPU executes, where QEMU runs all of them in one thread, in turns (-accel tcg,thread=single, and -icount).
 *
 * In this mode, QEMU (10.0 to 11.1) passes the number of the vCPU that translated a block, as a constant, and not of
 * the one that executes it (gen_cpu_index() in accel/tcg/plugin-gen.c). The number is right only if a helper makes the
 * access. But on x86-64 hosts, the code that QEMU generates holds the state of the executing vCPU in rbp (TCG_AREG0),
 * also while it calls a plugin. So the callbacks for this mode look there first. In a helper, rbp is not a vCPU's
 * state, or it is that of the vCPU that the helper works for.
 *
 * The agent tells which state belongs to which vCPU: it executes a marker on each, twice. If that doesn't tell all of
 * them apart, or if the second time differs from the first, all count as vCPU 0, and the runner says so.
 */
#include "../protocol/frames.h"
#include "plugin.h"
#include "state.h"

static const void *states[RING_MAX_VCPUS];
static struct {
    const void *state;
    unsigned vcpu;
} current;
static unsigned markers; /* how many have been executed */
static bool contradicted;
static qemu_plugin_vcpu_mem_cb_t callback, corrected_callback;
static AccessWithState value_callback;
static qemu_plugin_vcpu_udata_cb_t function_callback, marker_callback;

/* The number of the vCPU that has this state; plugin.vcpus if none has it. */
static unsigned find(const void *state)
{
    unsigned vcpu = 0;

    while (vcpu < plugin.vcpus && states[vcpu] != state)
        vcpu++;
    return vcpu;
}

/* The number of the vCPU that makes an access. `told`: as QEMU passes it. */
static inline __attribute__((always_inline)) unsigned whose(unsigned told, const void *state)
{
    if (G_UNLIKELY(state != current.state)) {
        unsigned vcpu = ring_vcpus_are_known(plugin.ring) ? find(state) : 0;

        if (vcpu == plugin.vcpus) /* a helper */
            return told;
        current.state = state;
        current.vcpu = vcpu;
    }
    return current.vcpu;
}

CALLED_BY_NAME void turns_access(unsigned told, qemu_plugin_meminfo_t info, uint64_t vaddr, void *userdata,
                                 const void *state)
{
    callback(whose(told, state), info, vaddr, userdata);
}

CALLED_BY_NAME void turns_value(unsigned told, qemu_plugin_meminfo_t info, uint64_t vaddr, void *userdata,
                                const void *state)
{
    value_callback(whose(told, state), info, vaddr, userdata, state);
}

CALLED_BY_NAME void turns_corrected(unsigned told, qemu_plugin_meminfo_t info, uint64_t vaddr, void *userdata,
                                    const void *state)
{
    corrected_callback(whose(told, state), info, vaddr, userdata);
}

CALLED_BY_NAME void turns_function(unsigned told, void *userdata, const void *state)
{
    function_callback(whose(told, state), userdata);
}

CALLED_BY_NAME void turns_region(unsigned told, void *userdata, const void *state)
{
    marker_callback(whose(told, state), userdata);
}

CALLED_BY_NAME void turns_marker(unsigned told, void *userdata, const void *state)
{
    unsigned vcpu = (unsigned)(uintptr_t)userdata, found = find(state);

    (void)told;
    /* Once the run has begun, these markers are not the agent's. */
    if (ring_vcpus_are_known(plugin.ring) || vcpu >= plugin.vcpus || plugin.active ||
        ring_get_state(plugin.ring) > RING_ARMED)
        return;
    contradicted |= found < plugin.vcpus ? found != vcpu : states[vcpu] != NULL;
    states[vcpu] = state;
    if (++markers < 2 * plugin.vcpus || contradicted || find(NULL) < plugin.vcpus)
        return;
    current.state = NULL;
    ring_set_vcpus_known(plugin.ring);
}

/* The callbacks as QEMU calls them. */
ACCESS_WITH_STATE(turns_enter_access, turns_access);
ACCESS_WITH_STATE(turns_enter_value, turns_value);
ACCESS_WITH_STATE(turns_enter_corrected, turns_corrected);
FUNCTION_WITH_STATE(turns_enter_function, turns_function);
FUNCTION_WITH_STATE(turns_enter_region, turns_region);
FUNCTION_WITH_STATE(turns_enter_marker, turns_marker);

bool turns_are_taken(void)
{
    return plugin.options.strict_order && plugin.vcpus > 1;
}

qemu_plugin_vcpu_mem_cb_t turns_wrap(qemu_plugin_vcpu_mem_cb_t wrapped)
{
    callback = wrapped;
    return turns_enter_access;
}

qemu_plugin_vcpu_mem_cb_t turns_wrap_value(AccessWithState wrapped)
{
    value_callback = wrapped;
    return turns_enter_value;
}

qemu_plugin_vcpu_mem_cb_t turns_wrap_corrected(qemu_plugin_vcpu_mem_cb_t wrapped)
{
    corrected_callback = wrapped;
    return turns_enter_corrected;
}

qemu_plugin_vcpu_udata_cb_t turns_wrap_function(qemu_plugin_vcpu_udata_cb_t wrapped)
{
    function_callback = wrapped;
    return turns_enter_function;
}

qemu_plugin_vcpu_udata_cb_t turns_wrap_marker(qemu_plugin_vcpu_udata_cb_t wrapped)
{
    marker_callback = wrapped;
    return turns_enter_region;
}

void turns_look_for_marker(struct qemu_plugin_insn *insn, uint32_t magic)
{
    if (turns_are_taken() && magic >= MT_VCPU_MARKER_MAGIC && magic < MT_VCPU_MARKER_MAGIC + MT_VCPU_MARKERS)
        qemu_plugin_register_vcpu_insn_exec_cb(insn, turns_enter_marker, QEMU_PLUGIN_CB_NO_REGS,
                                               (void *)(uintptr_t)(magic - MT_VCPU_MARKER_MAGIC));
}
