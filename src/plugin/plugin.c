/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libgmbe.so: loaded into a stock QEMU, captures every access of the guest to its memory.
 *
 * Until the start marker is executed, only markers are instrumented. Then QEMU's translations are dropped, and whatever
 * is translated from then on is instrumented. The stop marker reverses that. Each switch takes place while all vCPUs
 * stand still, in on_reset().
 */
#include <gio/gio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "../record/x86.h"
#include "corrections.h"
#include "counting.h"
#include "interface.h"
#include "kernel.h"
#include "kernel_functions.h"
#include "page_sizes.h"
#include "pages.h"
#include "phase.h"
#include "plugin.h"
#include "regions.h"
#include "tasks.h"
#include "values.h"

Plugin plugin;

static bool was_active; /* plugin.active at the last call of on_reset() */
static bool cpl_known;
static GThread *vcpu_thread; /* of the first vCPU */

/* Translation. */

/* The bits of a record's info that are known when its code is translated. */
static uint64_t info_of_block(unsigned *cpl)
{
    int found = cpl_of_translation();

    if (found < 0) {
        fprintf(stderr, "libgmbe: this QEMU doesn't let plugins read cs, cr0 and eflags\n");
        _exit(1); /* wrong records are worse than none */
    }
    *cpl = (unsigned)found;
    return GMBEOO_VALID | (uint64_t)found << GMBEOO_CPL_SHIFT;
}

static void on_translated(struct qemu_plugin_tb *tb)
{
    size_t count = qemu_plugin_tb_n_insns(tb);
    bool capture = plugin.phase >= PHASE_COUNTING, number = ring_fields(plugin.ring) & MT_FIELD_INSTRUCTION;
    unsigned cpl = 0;
    uint64_t info = 0;

    if (plugin.control)
        control_instrument_block(plugin.control, tb);
    if (plugin.active)
        clock_instrument_block(tb);
    if (capture) {
        info = info_of_block(&cpl);
        capture = !plugin.options.user_only || x86_is_user(cpl);
    }
    if (capture)
        capture_instrument_block(tb);
    for (size_t i = 0; i < count; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

        regions_look_for_marker(insn);
        if (plugin.active)
            tasks_look_for_function(insn);
        if (plugin.phase == PHASE_TRACING && (ring_fields(plugin.ring) & MT_FIELD_PADDR))
            pages_look_for_flush(insn);
        if (capture)
            capture_instrument(insn,
                               info | (number ? (uint64_t)instruction_number(insn, cpl) << ROW_INSTRUCTION_SHIFT : 0));
    }
}

/* vCPUs. */

static void on_vcpu_started(unsigned vcpu)
{
    (void)vcpu;
    if (!cpl_known)
        cpl_known = cpl_init();
    kernel_find_registers();
    corrections_init();
    if (!vcpu_thread)
        vcpu_thread = g_thread_self();
    else if (vcpu_thread == g_thread_self())
        plugin.one_thread = true;
    if (plugin.options.strict_order && vcpu_thread != g_thread_self()) {
        fprintf(stderr, "libgmbe: strict_order needs QEMU to run all vCPUs in one thread: -accel tcg,thread=single\n");
        _exit(1);
    }
}

/* A vCPU wakes up: there may be a request. */
static void on_vcpu_resumes(unsigned vcpu)
{
    (void)vcpu;
    if (plugin.control)
        control_notice(plugin.control);
    else if (plugin.phase == PHASE_ASLEEP && ring_get_state(plugin.ring) == RING_ASLEEP && ring_is_armed(plugin.ring))
        phase_reconsider();
}

/* A vCPU halts and makes no more records: publishes what it has made. */
static void on_vcpu_idle(unsigned vcpu)
{
    if (vcpu < plugin.vcpus)
        capture_publish(vcpu);
}

static void publish_all(void)
{
    for (unsigned i = 0; i < plugin.vcpus; i++)
        capture_publish(i);
}

/* The end. */

static void report(void)
{
    RingCounts counts = ring_get_counts(plugin.ring);
    uint64_t lost = counts.dropped + counts.waiting;

    fprintf(stderr, "libgmbe: %" G_GUINT64_FORMAT " accesses, %" G_GUINT64_FORMAT " records written\n", counts.events,
            counts.written - counts.waiting);
    if (lost)
        fprintf(stderr, "libgmbe: ATTENTION: %" G_GUINT64_FORMAT " records were lost\n", lost);
    if (ring_open_regions(plugin.ring))
        fprintf(stderr,
                "libgmbe: ATTENTION: regions of interest that have begun and not ended: %" G_GUINT64_FORMAT "\n",
                ring_open_regions(plugin.ring));
}

static void on_exit_of_qemu(void)
{
    bool was_tracing;

    publish_all();
    was_tracing = regions_end_run();
    if (was_tracing || plugin.output)
        ring_set_state(plugin.ring, RING_STOPPED);
    g_clear_pointer(&plugin.control, control_free);
    if (plugin.output) {
        output_finish(plugin.output);
        plugin.output = NULL;
        report();
    }
}

/* Phases. */

static Phase phase_wanted(void)
{
    if (plugin.active) {
        if (plugin.options.roi && !regions_are_open())
            return PHASE_SCANNING;
        return !plugin.options.roi && counting_is_possible() ? PHASE_COUNTING : PHASE_TRACING;
    }
    if (plugin.control)
        return PHASE_SCANNING; /* for control_instrument_block() */
    if (!regions_use_start_and_stop())
        return PHASE_ASLEEP;
    if (plugin.output)
        return PHASE_SCANNING;
    /* A runner arms the ring when the workload is ready, and wants one run. */
    return ring_is_armed(plugin.ring) && ring_get_state(plugin.ring) <= RING_ARMED ? PHASE_SCANNING : PHASE_ASLEEP;
}

static void register_events(void)
{
    bool asleep = plugin.phase == PHASE_ASLEEP;
    const InterfaceEvents events = {
        .vcpu_started = on_vcpu_started,
        .vcpu_resumes = plugin.control || (asleep && regions_use_start_and_stop()) ? on_vcpu_resumes : NULL,
        .vcpu_idle = plugin.phase >= PHASE_COUNTING ? on_vcpu_idle : NULL,
        .translated = asleep ? NULL : on_translated,
        .exits = on_exit_of_qemu,
    };

    interface_register(&events);
}

/* Tells the consumer if the run has begun or ended. */
static void announce(void)
{
    if (was_active && !plugin.active)
        values_report();
    if (plugin.active && !was_active)
        ring_set_state(plugin.ring, RING_TRACING);
    else if (was_active && !plugin.active && !plugin.output) /* a reader of `out` sees the end when QEMU exits */
        ring_set_state(plugin.ring, RING_STOPPED);
    else if (!plugin.active && ring_is_armed(plugin.ring) && ring_get_state(plugin.ring) == RING_ASLEEP)
        ring_set_state(plugin.ring, RING_ARMED);
    was_active = plugin.active;
}

/* Called while all vCPUs stand still, and QEMU has dropped all translations and callbacks. */
static void on_reset(void)
{
    if (plugin.phase == PHASE_COUNTING)
        counting_end();
    publish_all();
    if (plugin.control)
        control_apply(plugin.control);
    if (plugin.active && !was_active) {
        capture_restart_sampling();
        page_sizes_forget();
        tasks_begin(regions_end_with_process);
    }
    announce();
    plugin.phase = phase_wanted();
    pages_drop_all();
    if (plugin.phase == PHASE_COUNTING)
        counting_begin();
    register_events();
    phase_is_settled();
}

/* Installation. */

static int refuse(GError *error)
{
    fprintf(stderr, "libgmbe: %s\n", error->message);
    g_error_free(error);
    return 1;
}

/* The ring that the options ask for: a new one, or the runner's. */
static Ring *make_ring(GError **error)
{
    Ring *ring;

    if (plugin.options.out)
        return ring_new(plugin.vcpus, plugin.options.ring_bytes, 0, error);
    ring = ring_attach(plugin.options.ring_fd, error);
    if (ring && ring_vcpus(ring) != plugin.vcpus) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "the ring is for %u vCPUs, but the guest has %u",
                    ring_vcpus(ring), plugin.vcpus);
        g_clear_pointer(&ring, ring_free);
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* QEMU is of no use without the runner */
    return ring;
}

QEMU_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
    GError *error = NULL;

    if (!interface_init(id, info, &error))
        return refuse(error);
    plugin.vcpus = (unsigned)info->system.max_vcpus;
    if (plugin.vcpus > RING_MAX_VCPUS) {
        fprintf(stderr, "libgmbe: at most %d vCPUs can be traced\n", RING_MAX_VCPUS);
        return 1;
    }
    if (!plugin_options_parse(&plugin.options, argc, argv, &error) || !(plugin.ring = make_ring(&error)))
        return refuse(error);
    if (plugin.options.out && !(plugin.output = output_new(plugin.ring, &plugin.options, &error)))
        return refuse(error);
    if (plugin.options.control && !(plugin.control = control_new(plugin.options.control, &error)))
        return refuse(error);
    if (plugin.options.kernel && !kernel_load(plugin.options.kernel, &error))
        return refuse(error);
    kernel_functions_init();
    if (turns_are_taken())
        ring_set_in_turns(plugin.ring);
    phase_init(on_reset);
    capture_init();
    clock_init();
    if (plugin.options.start == START_NOW)
        regions_set_active(true);
    capture_restart_sampling();
    announce();
    plugin.phase = phase_wanted();
    register_events();
    return 0;
}
