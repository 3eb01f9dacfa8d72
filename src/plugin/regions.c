/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Markers, and the regions that they enclose: see regions.h. */
#include "regions.h"

#include <string.h>

#include "../../include/memory_tracer/roi.h"
#include "../protocol/frames.h"
#include "phase.h"
#include "tasks.h"

#define MARKER_BYTES 7
#define MARKER_OPCODE "\x0f\x1f\x80"

typedef enum { MARKER_NONE, MARKER_START, MARKER_STOP, MARKER_ROI_BEGIN, MARKER_ROI_END, MARKER_IGNORED } Marker;

/* The regions that the workload has marked. Any vCPU may execute a marker. */
static struct {
    GMutex lock;
    unsigned depth;         /* regions that have begun and not ended */
    GHashTable *of_process; /* how many of these a process (tasks_process_of()) has begun; 0: unknown processes */
    gint64 outside_since_us;
} regions;

bool regions_are_open(void)
{
    return regions.depth;
}

bool regions_use_start_and_stop(void)
{
    return plugin.options.start != START_NEVER;
}

static void leave_outside(void)
{
    gint64 now_us = g_get_monotonic_time();

    ring_exclude_ns(plugin.ring, (uint64_t)(now_us - regions.outside_since_us) * 1000);
    regions.outside_since_us = now_us;
}

void regions_set_active(bool active)
{
    if (active) {
        regions.depth = 0;
        if (!regions.of_process)
            regions.of_process = g_hash_table_new(g_direct_hash, g_direct_equal);
        g_hash_table_remove_all(regions.of_process);
        regions.outside_since_us = g_get_monotonic_time();
        capture_set_inside(!plugin.options.roi);
    } else if (plugin.options.roi) {
        if (!regions.depth)
            leave_outside();
        ring_set_open_regions(plugin.ring, regions.depth);
    }
    plugin.active = active;
}

bool regions_end_run(void)
{
    bool was_active;

    g_mutex_lock(&regions.lock);
    was_active = plugin.active;
    if (was_active)
        regions_set_active(false);
    g_mutex_unlock(&regions.lock);
    return was_active;
}

/* Adds `more` to how many regions of a process are open, and returns the sum. */
static unsigned add_to_process(uint32_t process, int more)
{
    gpointer key = GUINT_TO_POINTER(process);
    unsigned depth = GPOINTER_TO_UINT(g_hash_table_lookup(regions.of_process, key)) + (unsigned)more;

    g_hash_table_insert(regions.of_process, key, GUINT_TO_POINTER(depth));
    return depth;
}

static void begin_region(uint32_t process)
{
    if (!plugin.active)
        return;
    add_to_process(process, 1);
    if (regions.depth++)
        return;
    leave_outside();
    ring_count_region(plugin.ring);
    capture_set_inside(true);
    if (plugin.phase == PHASE_SCANNING)
        phase_reconsider();
}

/* Callbacks stay at first: if the next region begins soon, they cost less than two switches. */
static void close_regions(unsigned count)
{
    regions.depth -= count;
    if (regions.depth)
        return;
    capture_set_inside(false);
    regions.outside_since_us = g_get_monotonic_time();
}

/* A thread may end a region that another thread of its process has begun. */
static void end_region(uint32_t process)
{
    if (!plugin.active || !regions.depth)
        return;
    if (!GPOINTER_TO_UINT(g_hash_table_lookup(regions.of_process, GUINT_TO_POINTER(process))))
        process = 0; /* the region began when the process was not known yet */
    if (GPOINTER_TO_UINT(g_hash_table_lookup(regions.of_process, GUINT_TO_POINTER(process))))
        add_to_process(process, -1);
    close_regions(1);
}

void regions_end_with_process(uint32_t process)
{
    unsigned open;

    g_mutex_lock(&regions.lock);
    open = plugin.active && process
               ? GPOINTER_TO_UINT(g_hash_table_lookup(regions.of_process, GUINT_TO_POINTER(process)))
               : 0;
    open = MIN(open, regions.depth);
    if (open) {
        g_hash_table_remove(regions.of_process, GUINT_TO_POINTER(process));
        close_regions(open);
    }
    g_mutex_unlock(&regions.lock);
}

/* Called when a vCPU executes a marker. Changes take effect before the vCPU's next block. */
static void marker_cb(unsigned int vcpu, void *userdata)
{
    Marker marker = (Marker)(uintptr_t)userdata;
    uint32_t process = tasks_process_of(vcpu);

    g_mutex_lock(&regions.lock);
    switch (marker) {
    case MARKER_START:
    case MARKER_STOP:
        if (regions_use_start_and_stop() && (marker == MARKER_START) != plugin.active) {
            regions_set_active(marker == MARKER_START);
            phase_reconsider();
        }
        break;
    case MARKER_ROI_BEGIN:
        begin_region(process);
        break;
    case MARKER_ROI_END:
        end_region(process);
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

/* With a runner, its agent says where the run begins and ends; markers of other programs in the guest don't count. */
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

void regions_look_for_marker(struct qemu_plugin_insn *insn)
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
        qemu_plugin_register_vcpu_insn_exec_cb(insn, turns_are_taken() ? turns_wrap_marker(marker_cb) : marker_cb,
                                               QEMU_PLUGIN_CB_NO_REGS, (void *)(uintptr_t)marker);
}
