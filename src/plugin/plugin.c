/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libgmbe.so: loaded into a stock QEMU, captures every access of the guest to its memory.
 *
 * Until the start marker is executed, nothing is instrumented but the markers. Then QEMU's translations are thrown
 * away, and whatever is translated from then on is instrumented. The stop marker reverses that. Each such switch takes
 * place while all vCPUs stand still, in on_reset().
 */
#include <gio/gio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "../../include/memory_tracer/roi.h"
#include "../protocol/frames.h"
#include "corrections.h"
#include "interface.h"
#include "pages.h"
#include "plugin.h"

#define MARKER_BYTES 7
#define MARKER_OPCODE "\x0f\x1f\x80"

typedef enum { MARKER_NONE, MARKER_START, MARKER_STOP, MARKER_ROI_BEGIN, MARKER_ROI_END, MARKER_IGNORED } Marker;

Plugin plugin;

static gint switching;  /* on_reset() will be called */
static bool was_active; /* when on_reset() was called last */
static bool cpl_known;
static GThread *vcpu_thread; /* of the first vCPU */

/* What the workload has marked. Markers are rare, and any vCPU may execute them. */
static struct {
    GMutex lock;
    unsigned depth; /* regions that have begun and not ended */
    gint64 outside_since_us;
} regions;

static void on_reset(void);

void plugin_reconsider(void)
{
    if (g_atomic_int_compare_and_exchange(&switching, 0, 1))
        interface_reset(on_reset);
}

/* Markers. */

static bool heeds_start_and_stop(void)
{
    return plugin.options.start != START_NEVER;
}

static void leave_outside(void)
{
    gint64 now_us = g_get_monotonic_time();

    ring_exclude_ns(plugin.ring, (uint64_t)(now_us - regions.outside_since_us) * 1000);
    regions.outside_since_us = now_us;
}

void plugin_set_active(bool active)
{
    if (active) {
        regions.depth = 0;
        regions.outside_since_us = g_get_monotonic_time();
        capture_set_inside(!plugin.options.roi);
    } else if (plugin.options.roi) {
        if (!regions.depth)
            leave_outside();
        ring_set_open_regions(plugin.ring, regions.depth);
    }
    plugin.active = active;
}

static void begin_region(void)
{
    if (!plugin.active || regions.depth++)
        return;
    leave_outside();
    ring_count_region(plugin.ring);
    capture_set_inside(true);
    if (plugin.phase == PHASE_SCANNING)
        plugin_reconsider();
}

/* Going on to call us for each access is better than two switches, if the next region begins soon. */
static void end_region(void)
{
    if (!plugin.active || !regions.depth || --regions.depth)
        return;
    capture_set_inside(false);
    regions.outside_since_us = g_get_monotonic_time();
}

/* Executed by a vCPU at a marker. Whatever it changes is acted on before the vCPU's next block. */
static void marker_cb(unsigned int vcpu, void *userdata)
{
    Marker marker = (Marker)(uintptr_t)userdata;

    (void)vcpu;
    g_mutex_lock(&regions.lock);
    switch (marker) {
    case MARKER_START:
    case MARKER_STOP:
        if (heeds_start_and_stop() && (marker == MARKER_START) != plugin.active) {
            plugin_set_active(marker == MARKER_START);
            plugin_reconsider();
        }
        break;
    case MARKER_ROI_BEGIN:
        begin_region();
        break;
    case MARKER_ROI_END:
        end_region();
        break;
    case MARKER_IGNORED:
        if (plugin.active)
            ring_count_ignored_marker(plugin.ring);
        break;
    case MARKER_NONE:
        break;
    }
    g_mutex_unlock(&regions.lock);
}

/* Under a runner, a run begins and ends where its agent says, whatever other programs in the guest may execute. */
static Marker kind_of_marker(uint32_t magic)
{
    bool has_runner = !plugin.options.out;

    switch (magic) {
    case MT_AGENT_START_MAGIC:
        return has_runner ? MARKER_START : MARKER_NONE;
    case MT_AGENT_STOP_MAGIC:
        return has_runner ? MARKER_STOP : MARKER_NONE;
    case MEMORY_TRACER_START_MAGIC:
        return has_runner ? MARKER_IGNORED : MARKER_START;
    case MEMORY_TRACER_STOP_MAGIC:
        return has_runner ? MARKER_IGNORED : MARKER_STOP;
    case MEMORY_TRACER_ROI_BEGIN_MAGIC:
        return plugin.options.roi ? MARKER_ROI_BEGIN : MARKER_NONE;
    case MEMORY_TRACER_ROI_END_MAGIC:
        return plugin.options.roi ? MARKER_ROI_END : MARKER_NONE;
    }
    return MARKER_NONE;
}

/* Instruments the marker if `insn` is one. */
static void look_for_marker(struct qemu_plugin_insn *insn)
{
    uint8_t bytes[MARKER_BYTES];
    uint32_t magic;
    Marker marker;

    if (qemu_plugin_insn_size(insn) != MARKER_BYTES ||
        qemu_plugin_insn_data(insn, bytes, MARKER_BYTES) != MARKER_BYTES ||
        memcmp(bytes, MARKER_OPCODE, strlen(MARKER_OPCODE)) != 0)
        return;
    memcpy(&magic, bytes + strlen(MARKER_OPCODE), sizeof magic);
    turns_look_for_marker(insn, magic);
    marker = kind_of_marker(magic);
    if (marker != MARKER_NONE)
        qemu_plugin_register_vcpu_insn_exec_cb(insn, marker_cb, QEMU_PLUGIN_CB_NO_REGS, (void *)(uintptr_t)marker);
}

/* Translation. */

/* The bits of a record's info that are known of the code that is being translated. */
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
    bool capture = plugin.phase >= PHASE_COUNTING, number = ring_fields(plugin.ring) & RING_INSTRUCTIONS;
    unsigned cpl = 0;
    uint64_t info = 0;

    if (plugin.control)
        control_instrument_block(plugin.control, tb);
    if (plugin.active)
        clock_instrument_block(tb);
    if (capture) {
        info = info_of_block(&cpl);
        capture = !plugin.options.user_only || cpl == 3;
    }
    if (capture)
        capture_instrument_block(tb);
    for (size_t i = 0; i < count; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

        look_for_marker(insn);
        if (plugin.phase == PHASE_TRACING && (ring_fields(plugin.ring) & RING_PADDR))
            pages_look_for_flush(insn);
        if (capture)
            capture_instrument(insn,
                               info | (number ? (uint64_t)instruction_number(insn, cpl) << RING_INSTRUCTION_SHIFT : 0));
    }
}

/* vCPUs. */

static void on_vcpu_started(unsigned vcpu)
{
    (void)vcpu;
    if (!cpl_known)
        cpl_known = cpl_init();
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

/* A vCPU wakes up: somebody may have asked for something. */
static void on_vcpu_resumes(unsigned vcpu)
{
    (void)vcpu;
    if (plugin.control)
        control_notice(plugin.control);
    else if (plugin.phase == PHASE_ASLEEP && ring_get_state(plugin.ring) == RING_ASLEEP && ring_is_armed(plugin.ring))
        plugin_reconsider();
}

/* A halted vCPU makes no records: what it has made shall not wait. */
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
    g_mutex_lock(&regions.lock);
    was_tracing = plugin.active;
    if (was_tracing)
        plugin_set_active(false);
    g_mutex_unlock(&regions.lock);
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
        if (plugin.options.roi && !regions.depth)
            return PHASE_SCANNING;
        return !plugin.options.roi && capture_may_count() ? PHASE_COUNTING : PHASE_TRACING;
    }
    if (plugin.control)
        return PHASE_SCANNING; /* for control_instrument_block() */
    if (!heeds_start_and_stop())
        return PHASE_ASLEEP;
    if (plugin.output)
        return PHASE_SCANNING;
    /* A runner arms us when the workload is ready, and wants one run. */
    return ring_is_armed(plugin.ring) && ring_get_state(plugin.ring) <= RING_ARMED ? PHASE_SCANNING : PHASE_ASLEEP;
}

static void register_events(void)
{
    bool asleep = plugin.phase == PHASE_ASLEEP;
    const InterfaceEvents events = {
        .vcpu_started = on_vcpu_started,
        .vcpu_resumes = plugin.control || (asleep && heeds_start_and_stop()) ? on_vcpu_resumes : NULL,
        .vcpu_idle = plugin.phase >= PHASE_COUNTING ? on_vcpu_idle : NULL,
        .translated = asleep ? NULL : on_translated,
        .exits = on_exit_of_qemu,
    };

    interface_register(&events);
}

/* Tells the consumer what has changed. */
static void announce(void)
{
    if (plugin.active && !was_active)
        ring_set_state(plugin.ring, RING_TRACING);
    else if (was_active && !plugin.active && !plugin.output) /* a reader of `out` sees the end when QEMU exits */
        ring_set_state(plugin.ring, RING_STOPPED);
    else if (!plugin.active && ring_is_armed(plugin.ring) && ring_get_state(plugin.ring) == RING_ASLEEP)
        ring_set_state(plugin.ring, RING_ARMED);
    was_active = plugin.active;
}

/* All vCPUs stand still, all translations are gone, and so are our callbacks. */
static void on_reset(void)
{
    if (plugin.phase == PHASE_COUNTING)
        capture_end_counting();
    publish_all();
    if (plugin.control)
        control_apply(plugin.control);
    if (plugin.active && !was_active)
        capture_restart_sampling();
    announce();
    plugin.phase = phase_wanted();
    pages_forget_all();
    if (plugin.phase == PHASE_COUNTING)
        capture_begin_counting();
    register_events();
    g_atomic_int_set(&switching, 0);
}

/* Installation. */

static int refuse(GError *error)
{
    fprintf(stderr, "libgmbe: %s\n", error->message);
    g_error_free(error);
    return 1;
}

/* The ring that the options ask for: ours, or the runner's. */
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
    if (turns_are_taken())
        ring_set_in_turns(plugin.ring);
    capture_init();
    clock_init();
    if (plugin.options.start == START_NOW)
        plugin_set_active(true);
    capture_restart_sampling();
    announce();
    plugin.phase = phase_wanted();
    register_events();
    return 0;
}
