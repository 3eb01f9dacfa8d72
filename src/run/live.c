/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Analyses of a running guest: see live.h. */
#include "live.h"

#include <string.h>

#include "../analysis/pump.h"
#include "../base/error.h"
#include "../ring/columns.h"
#include "../source/named_parts.h"
#include "../source/object_selection.h"
#include "../trace/batch_columns.h"
#include "live_files.h"
#include "live_names.h"

struct LiveAnalyses {
    Ring *ring;
    LiveFiles *files;
    Context *context;
    mt_trace *names; /* what the context's names are from; or NULL */
    const LiveOptions *options;
    ObjectSelection *objects;  /* or NULL: all */
    NamedFunctions *functions; /* or NULL: all */
    bool wanted[RING_COLUMNS_RECORDS];
    Pump *pump;
    unsigned columns;
    RingColumns *split;
    bool in_parts;           /* accesses are told apart by what is mapped when they are made: changes divide batches */
    struct mt_event *events; /* of a part of a batch */
    uint64_t index[RING_COLUMNS_RECORDS]; /* of those that are wanted */
    uint64_t records;
    GError *error;
};

static unsigned columns_of(const LiveOptions *options)
{
    return pump_columns(options->requests) | (options->objects || options->regions ? ADDRESS_OBJECTS_COLUMNS : 0) |
           (options->functions ? MT_COLUMN_INSTRUCTION | MT_COLUMN_TASK : 0);
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

static bool select_objects(LiveAnalyses *live, const LiveOptions *options, GError **error)
{
    AddressObjects *objects;

    if (!options->objects && !options->regions)
        return true;
    objects = context_has_tasks(live->context) ? context_new_objects(live->context) : NULL;
    if (!objects)
        return mt_fail(error, "this guest doesn't tell its tasks: --object and --region can't be used");
    live->objects = object_selection_new_of(objects, options->objects, options->regions);
    return true;
}

/* The names of code that must be known while it runs. */
static void name_code(LiveAnalyses *live, const LiveOptions *options, const RecordingFacts *facts)
{
    LiveCodeFacts known = { .kallsyms = facts->kallsyms,
                            .find_file = live_files_find_code,
                            .find_file_data = live->files };
    bool by_code = options->functions;

    known.wants_lines = options->functions; /* what is inlined counts as well */
    for (guint i = 0; i < options->requests->len; i++) {
        GroupBy by = analysis_request_group(options->requests->pdata[i]);

        by_code |= by && group_way(by) == GROUP_WAY_INSTRUCTION;
        known.wants_lines |= by == GROUP_BY_LINE;
    }
    if (!by_code)
        return;
    context_name_code(live->context, &known);
    live->in_parts = true;
    if (options->functions)
        live->functions = named_functions_new(live->context, options->functions);
}

LiveAnalyses *live_analyses_new(const LiveOptions *options, Ring *ring, const RecordingFacts *facts, GError **error)
{
    g_autoptr(LiveAnalyses) live = g_new0(LiveAnalyses, 1);
    LiveFacts known = {
        .kallsyms = facts->kallsyms, .modules = facts->modules, .iomem = facts->iomem, .find_file = live_files_find
    };

    live->options = options;
    live->ring = ring;
    live->columns = columns_of(options);
    live->in_parts = (live->columns & ADDRESS_OBJECTS_COLUMNS) == ADDRESS_OBJECTS_COLUMNS;
    live->files = known.find_file_data = live_files_new(facts->sees_host);
    live->context = context_new_live(ring, live->in_parts ? &known : NULL);
    name_code(live, options, facts);
    live->split = g_new0(RingColumns, 1);
    live->events = g_new(struct mt_event, RING_COLUMNS_RECORDS);
    live->pump = select_objects(live, options, error) ? pump_new(options->requests, live->context, error) : NULL;
    return live->pump ? g_steal_pointer(&live) : NULL;
}

void live_analyses_free(LiveAnalyses *live)
{
    if (!live)
        return;
    pump_free(live->pump);
    object_selection_free(live->objects);
    named_functions_free(live->functions);
    context_free(live->context);
    mt_trace_close(live->names);
    live_files_free(live->files);
    g_free(live->split);
    g_free(live->events);
    g_clear_error(&live->error);
    g_free(live);
}

/* Moves the wanted record `from` of a batch to `to`. Its columns are live->split's. */
static void move_record(const struct mt_batch *batch, size_t from, size_t to)
{
#define MOVE(type, column)                                                                                             \
    if (batch->column)                                                                                                 \
        ((type *)batch->column)[to] = batch->column[from];
    BATCH_COLUMNS(MOVE)
#undef MOVE
}

/* Sets live->wanted. */
static void find_wanted(LiveAnalyses *live, const struct mt_batch *batch)
{
    if (live->functions)
        named_functions_look_at(live->functions, batch, live->wanted);
    else
        memset(live->wanted, true, batch->count);
    if (!live->objects)
        return;
    object_selection_look_at(live->objects, batch);
    for (size_t i = 0; i < batch->count; i++)
        live->wanted[i] = object_selection_wants(live->objects, i) && live->wanted[i];
}

/* Leaves the wanted records in a batch. Its events are live->events. */
static void keep_wanted(LiveAnalyses *live, struct mt_batch *batch)
{
    size_t kept = 0, event = 0;

    find_wanted(live, batch);
    for (size_t i = 0; i < batch->count; i++) {
        for (; event < batch->task.count && batch->task.event[event].before <= i; event++)
            live->events[event].before = (uint32_t)kept;
        if (!live->wanted[i])
            continue;
        live->index[kept] = batch->first + i;
        move_record(batch, i, kept++);
    }
    for (; event < batch->task.count; event++)
        live->events[event].before = (uint32_t)kept;
    batch->index = live->index;
    batch->count = kept;
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
    if (live->objects || live->functions)
        keep_wanted(live, &part);
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
    if (live->objects || live->functions || (live->in_parts && live->split->changes))
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

    for (guint i = 0; live->functions && live->options->functions[i]; i++)
        if (!named_functions_has_found(live->functions, i))
            g_ptr_array_add(lines, g_strdup_printf("no code of a function '%s' was executed that makes accesses",
                                                   live->options->functions[i]));
    if (live->objects) {
        g_autoptr(GPtrArray) all = g_ptr_array_new();
        g_autofree char *missing = NULL;

        g_ptr_array_add(all, live->objects);
        missing = object_selection_missing(all);
        if (missing)
            g_ptr_array_add(lines, g_strdup_printf("no access goes to %s", missing));
    }
    return lines;
}

void live_analyses_describe(LiveAnalyses *live, Report *report, bool named)
{
    pump_describe(live->pump, report, named);
}
