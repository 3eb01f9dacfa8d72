/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines that several vCPUs, threads or processes touch: see shared_lines.h. The figures are defined in
 * memory_tracer-sharing(1). */
#include "sharing.h"

#include <string.h>

#include "../base/error.h"
#include "../trace/events.h"
#include "sharing_private.h"

/* A stretch (shared_lines.h) has so many records for each vCPU, and begins at a multiple of that: enough that many
 * accesses go to the same few lines, and so few that threads can share a trace. */
#ifndef STRETCH_RECORDS /* a test has fewer */
#define STRETCH_RECORDS (UINT64_C(1) << 21)
#endif

static bool parse_between(const char *name, Between *between, GError **error)
{
    static const char *const names[] = { "vcpu", "thread", "process" };

    *between = BETWEEN_VCPUS;
    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        if (!name || !strcmp(name, names[i])) {
            *between = (Between)i;
            return true;
        }
    return mt_fail_usage(error, "--between must be vcpu, thread or process, but '%s' isn't", name);
}

static uint32_t object_of(const void *context, const struct mt_batch *batch, size_t i)
{
    return context_object_at(context, batch, i);
}

static void *sharing_begin(const AnalysisType *type, const void *options, const Context *context, GError **error)
{
    const SharingOptions *own = options;
    Between between;
    Sharing *sharing;

    (void)type;
    if (own->top < 0) {
        mt_fail_usage(error, "--top can't be negative, but %d is.", own->top);
        return NULL;
    }
    if (!parse_between(own->between, &between, error))
        return NULL;
    if (between != BETWEEN_VCPUS && !context_has_tasks(context)) {
        mt_fail(error, "--between %s: the trace doesn't tell which task made an access", own->between);
        return NULL;
    }
    sharing = g_new0(Sharing, 1);
    sharing->options = own;
    sharing->context = context;
    sharing->between = between;
    sharing->by = context_has_physical(context) ? BY_PHYSICAL : context_has_tasks(context) ? BY_MEMORY : BY_VIRTUAL;
    sharing->stretch_records = STRETCH_RECORDS * MAX(context_vcpus(context), 1);
    sharing->lines = shared_lines_new();
    if (context_has_objects(context))
        shared_lines_set_objects(sharing->lines, object_of, context);
    return sharing;
}

static void sharing_end(void *data)
{
    Sharing *sharing = data;

    shared_lines_free(sharing->lines);
    g_free(sharing);
}

/* The sharer that makes the records behind this task event. */
static uint32_t sharer_of(const Sharing *sharing, unsigned vcpu, uint32_t event)
{
    uint32_t context = event & ((1u << TASK_CONTEXT_BITS) - 1);
    const Task *task;

    if (sharing->between == BETWEEN_VCPUS)
        return vcpu;
    task = task_table_task(context_tasks(sharing->context), event >> TASK_CONTEXT_BITS);
    if (context || !task)
        return MIN(context, SHARING_FIRST_TASK - 1);
    return SHARING_FIRST_TASK + (sharing->between == BETWEEN_PROCESSES ? task->process : task->number);
}

/* Adds records of one task, in pieces between which it changes its memory, or a stretch ends. */
static void add_of_task(Sharing *sharing, const struct mt_batch *batch, size_t begin, size_t end, uint32_t event)
{
    uint32_t who = sharer_of(sharing, batch->vcpu, event);

    while (begin < end) {
        uint64_t index = events_index(batch, begin), until = UINT64_MAX;
        uint32_t space = sharing->by == BY_PHYSICAL ? batch->input
                         : sharing->by == BY_MEMORY
                             ? context_memory(sharing->context, event >> TASK_CONTEXT_BITS, index, &until)
                             : 0;
        size_t stop;

        if (index / sharing->stretch_records != sharing->stretch) {
            sharing->stretch = index / sharing->stretch_records;
            shared_lines_begin_stretch(sharing->lines, (uint32_t)sharing->stretch);
        }
        until = MIN(until, (sharing->stretch + 1) * sharing->stretch_records);
        stop = events_index(batch, end - 1) < until ? end : begin + 1;
        while (stop < end && events_index(batch, stop) < until)
            stop++;
        shared_lines_add(sharing->lines, batch, begin, stop, who, space, sharing->by == BY_PHYSICAL);
        begin = stop;
    }
}

static bool sharing_add(void *data, const struct mt_batch *batch, GError **error)
{
    Sharing *sharing = data;
    uint32_t event = batch->task.state;
    size_t done = 0;

    if (batch->vcpu >= SHARED_MAX_VCPUS)
        return mt_fail(error, "sharing knows %d vCPUs, but the trace has number %u", SHARED_MAX_VCPUS, batch->vcpu);
    sharing->accesses += batch->count;
    sharing->merged = sharing->merged || batch->input;
    for (size_t i = 0; sharing->by == BY_PHYSICAL && i < batch->count; i++)
        sharing->left_out += batch->paddr[i] >> 63; /* MT_PADDR_IO, which MT_PADDR_UNKNOWN has, too */
    for (size_t i = 0; i <= batch->task.count; i++) {
        size_t end = i < batch->task.count ? batch->task.event[i].before : batch->count;

        add_of_task(sharing, batch, done, end, event);
        done = end;
        event = i < batch->task.count ? batch->task.event[i].number : 0;
    }
    return true;
}

/* Parts of the work: stretches of the trace. Parts by lines would gain nothing: each of them would have to look at each
 * record, which takes about as long as all that is done with it. */

static AnalysisDivision sharing_divide(const void *options, unsigned jobs)
{
    (void)options, (void)jobs;
    return (AnalysisDivision){ .split = ANALYSIS_IN_TURN, .step = STRETCH_RECORDS };
}

static bool sharing_merge(void *data, void *other, GError **error)
{
    Sharing *sharing = data, *next = other;

    (void)error;
    sharing->accesses += next->accesses;
    sharing->left_out += next->left_out;
    sharing->merged = sharing->merged || next->merged;
    shared_lines_merge(sharing->lines, next->lines);
    return true;
}

static const SharingOptions defaults = { .top = 10 };
static const AnalysisOption options[] = {
    { "between", G_OPTION_ARG_STRING, offsetof(SharingOptions, between),
      "Who shares: vCPUs (default), threads or processes, each as if it had a cache for itself",
      "vcpu|thread|process" },
    { "top", G_OPTION_ARG_INT, offsetof(SharingOptions, top), "How many lines of each size are told of (default: 10)",
      "N" },
    { NULL },
};

const AnalysisType sharing_analysis = {
    .name = "sharing",
    .summary =
        "Which lines several vCPUs, threads or processes share, truly or falsely, and who invalidates whose copies.",
    .columns = MT_COLUMN_ADDRESS | MT_COLUMN_INFO | MT_COLUMN_INSTRUCTION | MT_COLUMN_PADDR | MT_COLUMN_TASK,
    .options = options,
    .defaults = &defaults,
    .options_bytes = sizeof defaults,
    .begin = sharing_begin,
    .add = sharing_add,
    .describe = sharing_describe,
    .end = sharing_end,
    .divide = sharing_divide,
    .merge = sharing_merge,
};
