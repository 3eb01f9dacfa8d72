/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libgmbe.so: loaded into a stock QEMU, captures every access of the guest to its memory.
 *
 * Until the start marker is executed, nothing is instrumented but the markers. Then QEMU's translations are thrown
 * away, and whatever is translated from then on calls access_cb() after each access. The stop marker reverses that.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "../../include/memory_tracer/roi.h"
#include "plugin.h"

QEMU_EXPORT int qemu_plugin_version = QEMU_API_LEVEL;

/* What QEMU encodes in a meminfo handle fits into so many bits; larger ones are looked up the slow way. */
#define MEMINFO_TABLE_BITS 18
#define MARKER_BYTES 7

typedef enum {
    PHASE_ASLEEP,   /* nothing is instrumented: QEMU makes a store per access for plugins that translate, even idly */
    PHASE_SCANNING, /* markers are */
    PHASE_TRACING,  /* accesses, too */
} Phase;

static struct {
    qemu_plugin_id_t id;
    PluginOptions options;
    Ring *ring;
    PluginOutput *output;
    unsigned vcpus;
    Phase phase, next_phase;
    gint switching; /* a switch to next_phase is under way */
    bool cpl_known;
} plugin;

static RingProducer producers[RING_MAX_VCPUS];

/* The low 6 bits of a record's info, by meminfo handle: asking QEMU for each access would double the cost of one. */
static uint8_t meminfo_table[1u << MEMINFO_TABLE_BITS];

static uint8_t ask_meminfo(qemu_plugin_meminfo_t info)
{
    return (uint8_t)((qemu_plugin_mem_size_shift(info) & 7) |
                     (qemu_plugin_mem_is_sign_extended(info) ? GMBEOO_SIGN_EXTEND : 0) |
                     (qemu_plugin_mem_is_big_endian(info) ? GMBEOO_BIG_ENDIAN : 0) |
                     (qemu_plugin_mem_is_store(info) ? GMBEOO_STORE : 0));
}

static __attribute__((noinline, cold)) void access_cb_odd_meminfo(unsigned int vcpu, qemu_plugin_meminfo_t info,
                                                                  uint64_t vaddr, void *userdata)
{
    ring_producer_put(&producers[vcpu], (uintptr_t)userdata | ask_meminfo(info) | (uint64_t)vcpu << GMBEOO_VCPU_SHIFT,
                      vaddr);
}

/*
 * The hot path. `userdata` holds the bits of the record's info that are known at translation. What is rare is called
 * last, so that the compiler needs no stack frame.
 */
static void access_cb(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *userdata)
{
    if (G_UNLIKELY(info >= 1u << MEMINFO_TABLE_BITS))
        access_cb_odd_meminfo(vcpu, info, vaddr, userdata);
    else
        ring_producer_put(&producers[vcpu],
                          (uintptr_t)userdata | meminfo_table[info] | (uint64_t)vcpu << GMBEOO_VCPU_SHIFT, vaddr);
}

/* The same for a guest with one vCPU, whose producer is at a fixed address: a quarter fewer instructions. */
static void access_cb_one_vcpu(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *userdata)
{
    if (G_UNLIKELY(info >= 1u << MEMINFO_TABLE_BITS))
        access_cb_odd_meminfo(vcpu, info, vaddr, userdata);
    else
        ring_producer_put(&producers[0], (uintptr_t)userdata | meminfo_table[info], vaddr);
}

static void on_reset(qemu_plugin_id_t id);

/* To be called by a vCPU. The switch itself follows when all vCPUs have stopped, before the next block is executed. */
static void switch_to(Phase phase)
{
    if (!g_atomic_int_compare_and_exchange(&plugin.switching, 0, 1))
        return;
    plugin.next_phase = phase;
    qemu_plugin_reset(plugin.id, on_reset);
}

/* Executed by a vCPU at a marker. */
static void marker_cb(unsigned int vcpu, void *userdata)
{
    bool start = userdata;

    (void)vcpu;
    if (start && plugin.phase == PHASE_SCANNING)
        switch_to(PHASE_TRACING);
    else if (!start && plugin.phase == PHASE_TRACING)
        switch_to(plugin.output ? PHASE_SCANNING : PHASE_ASLEEP); /* a runner wants one region */
}

/* A vCPU wakes up: the runner may have armed the ring. */
static void vcpu_resumes_cb(qemu_plugin_id_t id, unsigned int vcpu)
{
    (void)id;
    (void)vcpu;
    if (plugin.phase == PHASE_ASLEEP && ring_get_state(plugin.ring) == RING_ASLEEP && ring_is_armed(plugin.ring))
        switch_to(PHASE_SCANNING);
}

/* Instruments the marker if `insn` is one. */
static void look_for_marker(struct qemu_plugin_insn *insn)
{
    uint8_t bytes[MARKER_BYTES];
    uint32_t magic;

    if (qemu_plugin_insn_size(insn) != MARKER_BYTES ||
        qemu_plugin_insn_data(insn, bytes, MARKER_BYTES) != MARKER_BYTES || bytes[0] != 0x0f || bytes[1] != 0x1f ||
        bytes[2] != 0x80)
        return;
    memcpy(&magic, bytes + 3, sizeof magic);
    if (magic == MEMORY_TRACER_START_MAGIC || magic == MEMORY_TRACER_STOP_MAGIC)
        qemu_plugin_register_vcpu_insn_exec_cb(insn, marker_cb, QEMU_PLUGIN_CB_NO_REGS,
                                               (void *)(uintptr_t)(magic == MEMORY_TRACER_START_MAGIC));
}

static void tb_translated_cb(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    size_t count = qemu_plugin_tb_n_insns(tb);
    qemu_plugin_vcpu_mem_cb_t on_access = plugin.vcpus == 1 ? access_cb_one_vcpu : access_cb;
    bool capture = plugin.phase == PHASE_TRACING;
    uint64_t info = 0;

    (void)id;
    if (capture) {
        int cpl = cpl_of_translation();

        if (cpl < 0) {
            fprintf(stderr, "libgmbe: this QEMU doesn't let plugins read cs, cr0 and eflags\n");
            _exit(1); /* wrong records are worse than none */
        }
        info = GMBEOO_VALID | (uint64_t)cpl << GMBEOO_CPL_SHIFT;
        capture = !plugin.options.user_only || cpl == 3;
    }
    for (size_t i = 0; i < count; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

        look_for_marker(insn);
        if (capture)
            qemu_plugin_register_vcpu_mem_cb(insn, on_access, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW,
                                             (void *)(uintptr_t)info);
    }
}

static void vcpu_started_cb(qemu_plugin_id_t id, unsigned int vcpu)
{
    (void)id;
    (void)vcpu;
    if (!plugin.cpl_known)
        plugin.cpl_known = cpl_init();
}

/* A halted vCPU makes no records: what it has made shall not wait. */
static void vcpu_idle_cb(qemu_plugin_id_t id, unsigned int vcpu)
{
    (void)id;
    if (plugin.phase == PHASE_TRACING && vcpu < plugin.vcpus)
        ring_producer_publish(&producers[vcpu]);
}

static void publish_all(void)
{
    for (unsigned i = 0; i < plugin.vcpus; i++)
        ring_producer_publish(&producers[i]);
}

static void report(void)
{
    RingCounts counts = ring_get_counts(plugin.ring);

    fprintf(stderr, "libgmbe: %" G_GUINT64_FORMAT " accesses, %" G_GUINT64_FORMAT " records written\n", counts.events,
            counts.written - counts.waiting);
    if (counts.events != counts.written - counts.waiting)
        fprintf(stderr, "libgmbe: ATTENTION: %" G_GUINT64_FORMAT " records were lost\n",
                counts.events - counts.written + counts.waiting);
}

static void qemu_exits_cb(qemu_plugin_id_t id, void *userdata)
{
    (void)id;
    (void)userdata;
    publish_all();
    if (plugin.phase == PHASE_TRACING || plugin.output)
        ring_set_state(plugin.ring, RING_STOPPED);
    if (plugin.output) {
        plugin_output_finish(plugin.output);
        plugin.output = NULL;
        report();
    }
}

static void register_callbacks(qemu_plugin_id_t id)
{
    qemu_plugin_register_vcpu_init_cb(id, vcpu_started_cb);
    qemu_plugin_register_atexit_cb(id, qemu_exits_cb, NULL);
    if (plugin.phase == PHASE_ASLEEP && plugin.options.start != START_NEVER)
        qemu_plugin_register_vcpu_resume_cb(id, vcpu_resumes_cb);
    if (plugin.phase == PHASE_TRACING)
        qemu_plugin_register_vcpu_idle_cb(id, vcpu_idle_cb);
    if (plugin.phase != PHASE_ASLEEP)
        qemu_plugin_register_vcpu_tb_trans_cb(id, tb_translated_cb);
}

/* All vCPUs stand still, all translations are gone, and so are our callbacks. */
static void on_reset(qemu_plugin_id_t id)
{
    bool was_tracing = plugin.phase == PHASE_TRACING;

    plugin.phase = plugin.next_phase;
    if (was_tracing)
        publish_all();
    if (plugin.phase == PHASE_TRACING)
        ring_set_state(plugin.ring, RING_TRACING);
    else if (!was_tracing)
        ring_set_state(plugin.ring, RING_ARMED);
    else if (!plugin.output) /* for a reader of `out` there may be more regions: it sees the end when QEMU exits */
        ring_set_state(plugin.ring, RING_STOPPED);
    register_callbacks(id);
    g_atomic_int_set(&plugin.switching, 0);
}

static int refuse(GError *error)
{
    fprintf(stderr, "libgmbe: %s\n", error->message);
    g_error_free(error);
    return 1;
}

QEMU_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
    GError *error = NULL;

    if (info->version.cur < QEMU_API_LEVEL || !info->system_emulation || strcmp(info->target_name, "x86_64")) {
        fprintf(stderr, "libgmbe: qemu-system-x86_64 10.0 or newer is needed (this is for %s, plugin interface %d)\n",
                info->target_name, info->version.cur);
        return 1;
    }
    plugin.id = id;
    plugin.vcpus = (unsigned)info->system.max_vcpus;
    if (plugin.vcpus > RING_MAX_VCPUS) {
        fprintf(stderr, "libgmbe: at most %d vCPUs can be traced\n", RING_MAX_VCPUS);
        return 1;
    }
    if (!plugin_options_parse(&plugin.options, argc, argv, &error))
        return refuse(error);

    if (plugin.options.out) {
        plugin.ring = ring_new(plugin.vcpus, plugin.options.ring_bytes, &error);
    } else {
        plugin.ring = ring_attach(plugin.options.ring_fd, &error);
        if (plugin.ring && ring_vcpus(plugin.ring) != plugin.vcpus) {
            fprintf(stderr, "libgmbe: the ring is for %u vCPUs, but the guest has %u\n", ring_vcpus(plugin.ring),
                    plugin.vcpus);
            return 1;
        }
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* QEMU is of no use without the runner */
    }
    if (!plugin.ring)
        return refuse(error);
    for (unsigned i = 0; i < plugin.vcpus; i++)
        ring_producer_init(&producers[i], plugin.ring, i, plugin.options.when_full);
    for (uint32_t i = 0; i < 1u << MEMINFO_TABLE_BITS; i++)
        meminfo_table[i] = ask_meminfo(i);
    if (plugin.options.out) {
        plugin.output = plugin_output_new(plugin.ring, plugin.options.out, &error);
        if (!plugin.output)
            return refuse(error);
    }
    if (plugin.options.start == START_NOW)
        plugin.phase = PHASE_TRACING;
    else if (plugin.options.start == START_AT_MARKER && plugin.output)
        plugin.phase = PHASE_SCANNING; /* there is no runner to wake us up */
    if (plugin.phase == PHASE_TRACING)
        ring_set_state(plugin.ring, RING_TRACING);
    register_callbacks(id);
    return 0;
}
