/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines that several vCPUs, threads or processes touch: see shared_lines.h. The figures are defined in
 * memory_tracer-sharing(1). */
#include "sharing.h"

#include <string.h>

#include "../base/error.h"
#include "../trace/events.h"
#include "sharing_private.h"

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

/* Adds records of one task, in pieces between which it changes its memory. */
static void add_of_task(Sharing *sharing, const struct mt_batch *batch, size_t begin, size_t end, uint32_t event)
{
    uint32_t who = sharer_of(sharing, batch->vcpu, event);

    while (begin < end) {
        uint64_t until = UINT64_MAX;
        uint32_t space = sharing->by == BY_PHYSICAL ? batch->input
                         : sharing->by == BY_MEMORY ? context_memory(sharing->context, event >> TASK_CONTEXT_BITS,
                                                                     events_index(batch, begin), &until)
                                                    : 0;
        size_t stop = events_index(batch, end - 1) < until ? end : begin + 1;

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

/* Parts of the work: a part has some of the lines. */

static AnalysisDivision sharing_divide(const void *options, unsigned jobs)
{
    (void)options;
    return analysis_divide_by_sets(UINT64_C(1) << 32, (jobs + 1) / 2);
}

static void sharing_take_part(void *data, const AnalysisPart *part)
{
    Sharing *sharing = data;

    shared_lines_take_part(sharing->lines, part->number, part->count);
}

/* Each part has seen all accesses. */
static bool sharing_merge(void *data, void *other, GError **error)
{
    Sharing *sharing = data, *next = other;

    (void)error;
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
    .take_part = sharing_take_part,
    .merge = sharing_merge,
};
