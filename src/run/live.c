/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Analyses of a running guest: see live.h. */
#include "live.h"

#include <string.h>

#include "../analysis/pump.h"
#include "../base/error.h"
#include "../ring/columns.h"
#include "../trace/batch_columns.h"
#include "live_files.h"
#include "live_names.h"
#include "live_selection.h"

struct LiveAnalyses {
    Ring *ring;
    LiveFiles *files;
    Context *context;
    mt_trace *names; /* what the context's names are from; or NULL */
    const LiveOptions *options;
    LiveSelection *selection; /* NULL: all accesses */
    Pump *pump;
    unsigned columns;
    RingColumns *split;
    bool in_parts;           /* accesses are told apart by what is mapped when they are made: changes divide batches */
    struct mt_event *events; /* of a part of a batch */
    uint64_t records;
    GError *error;
};

static unsigned columns_of(const LiveOptions *options)
{
    return pump_columns(options->requests) | live_selection_columns(options->selection);
}

unsigned live_analyses_fields(const LiveOptions *options)
{
    unsigned columns = columns_of(options);

    /* What code is called depends on what its process has mapped. */
    return (columns & MT_COLUMN_INSTRUCTION ? MT_FIELD_INSTRUCTION | MT_FIELD_TASK : 0) |
           (columns & MT_COLUMN_PADDR ? MT_FIELD_PADDR : 0) | (columns & MT_COLUMN_VALUE ? MT_FIELD_VALUE : 0) |
           (columns & MT_COLUMN_TIME ? MT_FIELD_TIME : 0) | (columns & MT_COLUMN_TASK ? MT_FIELD_TASK : 0) |
           /* Sizes are told beside physical addresses, or not at all: who only would use them doesn't pay for those. */
           ((columns & MT_COLUMN_PADDR) && (columns & MT_COLUMN_PAGE_SIZE) ? MT_FIELD_PAGE_SIZE : 0);
}

bool live_analyses_need_names(const LiveOptions *options)
{
    return columns_of(options) & MT_COLUMN_INSTRUCTION;
}

/* The names of code that must be known while it runs. */
static void name_code(LiveAnalyses *live, const LiveOptions *options, const RecordingFacts *facts)
{
    LiveCodeFacts known = { .kallsyms = facts->kallsyms,
                            .find_file = live_files_find_code,
                            .find_file_data = live->files };
    bool by_code = options->selection->functions;

    known.wants_lines = options->selection->functions; /* what is inlined counts as well */
    for (guint i = 0; i < options->requests->len; i++) {
        GroupBy by = analysis_request_group(options->requests->pdata[i]);

        by_code |= by && group_way(by) == GROUP_WAY_INSTRUCTION;
        known.wants_lines |= by == GROUP_BY_LINE;
    }
    if (!by_code)
        return;
    context_name_code(live->context, &known);
    live->in_parts = true;
}

static bool start(LiveAnalyses *live, const LiveOptions *options, GError **error)
{
    if (selection_live_option(options->selection) &&
        !(live->selection = live_selection_new(options->selection, live->context, error)))
        return false;
    live->pump = pump_new(options->requests, live->context, error);
    return live->pump;
}

LiveAnalyses *live_analyses_new(const LiveOptions *options, Ring *ring, const RecordingFacts *facts, GError **error)
{
    g_autoptr(LiveAnalyses) live = g_new0(LiveAnalyses, 1);
    LiveFacts known = {
        .kallsyms = facts->kallsyms, .modules = facts->modules, .iomem = facts->iomem, .find_file = live_files_find
    };
    bool knows_objects;

    live->options = options;
    live->ring = ring;
    live->columns = columns_of(options);
    knows_objects = (live->columns & ADDRESS_OBJECTS_COLUMNS) == ADDRESS_OBJECTS_COLUMNS;
    live->in_parts = knows_objects || live_selection_follows_changes(options->selection);
    live->files = known.find_file_data = live_files_new(facts->sees_host);
    live->context = context_new_live(ring, knows_objects ? &known : NULL);
    name_code(live, options, facts);
    live->split = ring_columns_new();
    live->events = g_new(struct mt_event, RING_COLUMNS_RECORDS);
    return start(live, options, error) ? g_steal_pointer(&live) : NULL;
}

void live_analyses_free(LiveAnalyses *live)
{
    if (!live)
        return;
    pump_free(live->pump);
    live_selection_free(live->selection);
    context_free(live->context);
    mt_trace_close(live->names);
    live_files_free(live->files);
    ring_columns_free(live->split);
    g_free(live->events);
    g_clear_error(&live->error);
    g_free(live);
}

/* The part of a batch from `begin` to `end` - 1. Its events are live->events. */
static struct mt_batch part_of(LiveAnalyses *live, const struct mt_batch *batch, size_t begin, size_t end)
{
    struct mt_batch part = *batch;
    const struct mt_events *events = &batch->task;
    size_t next = 0;

#define ADVANCE(type, column) part.column = batch->column ? batch->column + begin : NULL;
    BATCH_COLUMNS(ADVANCE)
#undef ADVANCE
    part.first += begin;
    part.count = end - begin;
    part.task = (struct mt_events){ .state = events->state, .event = live->events };
    for (; next < events->count && events->event[next].before <= begin; next++)
        part.task.state = events->event[next].number;
    for (; next < events->count && events->event[next].before < end; next++)
        live->events[part.task.count++] = (struct mt_event){ .before = events->event[next].before - (uint32_t)begin,
                                                             .number = events->event[next].number };
    return part;
}

static bool add_part(LiveAnalyses *live, const struct mt_batch *batch, size_t begin, size_t end)
{
    struct mt_batch part;

    if (begin == end)
        return true;
    part = part_of(live, batch, begin, end);
    if (live->selection)
        live_selection_apply(live->selection, &part, live->events);
    return !part.count || pump_add(live->pump, &part, &live->error);
}

/* Each change takes place between the accesses between which it stands. */
static bool add_in_parts(LiveAnalyses *live, const struct mt_batch *batch)
{
    size_t begin = 0;

    for (size_t i = 0; i < live->split->changes; i++) {
        size_t before = live->split->change_before[i];

        if (!add_part(live, batch, begin, before))
            return false;
        begin = before;
        context_note_change(live->context, live->split->change[i]);
    }
    return add_part(live, batch, begin, batch->count);
}

static bool add(LiveAnalyses *live, const struct mt_batch *batch)
{
    if (live->selection || (live->in_parts && live->split->changes))
        return add_in_parts(live, batch);
    for (size_t i = 0; i < live->split->changes; i++)
        context_note_change(live->context, live->split->change[i]);
    return pump_add(live->pump, batch, &live->error);
}

bool live_analyses_take(void *data, const struct gmbeoo_record *records, size_t count)
{
    LiveAnalyses *live = data;
    const uint8_t *bytes = (const uint8_t *)records;
    unsigned fields = ring_fields(live->ring);
    struct mt_batch batch = { .vcpu = count ? ring_taken_vcpu(live->ring) : 0,
                              .time_ns = count && (fields & MT_FIELD_TIME) ? ring_time(live->ring, records) : 0 };

    while (count) {
        size_t piece = MIN(count, RING_COLUMNS_RECORDS);

        ring_columns_split(live->split, fields, live->columns, (const struct gmbeoo_record *)bytes, piece, &batch);
        batch.first = live->records;
        if (!add(live, &batch))
            return false;
        live->records += batch.count;
        bytes += piece * ring_record_bytes(live->ring);
        count -= piece;
    }
    return true;
}

const GError *live_analyses_error(const LiveAnalyses *live)
{
    return live->error;
}

bool live_analyses_finish(LiveAnalyses *live, GError **error)
{
    return pump_finish(live->pump, error);
}

bool live_analyses_find_names(LiveAnalyses *live, const RecordingFacts *facts, const char *folder, GError **error)
{
    live->names = live_names_make(live->ring, facts, folder, error);
    if (live->names)
        context_set_names(live->context, live->names);
    return live->names;
}

GPtrArray *live_analyses_list_unknown(const LiveAnalyses *live)
{
    GPtrArray *lines = g_ptr_array_new_with_free_func(g_free);

    if (live->selection)
        live_selection_list_unknown(live->selection, lines);
    return lines;
}

void live_analyses_describe(LiveAnalyses *live, Report *report, bool named)
{
    pump_describe(live->pump, report, named);
}
