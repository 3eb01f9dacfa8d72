/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading traces, for the verbs: see input.h. */
#include "input.h"

#include <stdio.h>
#include <sys/stat.h>

#include "../base/error.h"
#include "../base/json_numbers.h"
#include "../base/printable.h"
#include "../context/address_objects.h"
#include "../trace/events.h"
#include "../trace/file.h"
#include "named_parts.h"

#define GMBEOO_BYTES 16
#define COMPACT_BYTES 8
#define RECORDS_PER_LOCK 65536 /* that are told to a shared progress at once */

mt_trace *input_open_trace(const char *path, enum mt_format format, GError **error)
{
    struct mt_error problem;
    mt_trace *trace = mt_trace_open(path, format, &problem);

    if (!trace)
        mt_fail(error, "%s", problem.message);
    return trace;
}

JsonObject *input_metadata(const mt_trace *trace)
{
    g_auto(GStrv) lines = g_strsplit(mt_trace_metadata(trace), "\n", -1);
    JsonObject *all = json_object_new();

    for (char **line = lines; *line; line++) {
        g_autoptr(JsonNode) node = json_parse_text(*line);
        g_autoptr(GList) names = NULL;

        if (!node || !JSON_NODE_HOLDS_OBJECT(node))
            continue;
        names = json_object_get_members(json_node_get_object(node));
        for (GList *name = names; name; name = name->next)
            json_object_set_member(all, name->data, json_object_dup_member(json_node_get_object(node), name->data));
    }
    return all;
}

uint64_t input_known_records(const mt_trace *trace, JsonObject *metadata, bool *exact)
{
    uint64_t known = input_metadata_number(metadata, "records", 0);

    *exact = true;
    if (mt_trace_format(trace) != MT_FORMAT_FILE)
        return 0;
    if (!json_object_has_member(metadata, "records")) /* a recording that has ended says it */
        *exact = mt_trace_is_complete(trace) && !json_object_has_member(metadata, "recorded_by");
    for (size_t i = 0; i < mt_trace_blocks(trace); i++)
        known = MAX(known, mt_trace_block(trace, i)->known);
    known = MAX(known, trace_file_of(trace)->known);
    return MAX(known, mt_trace_records(trace));
}

uint64_t input_metadata_number(JsonObject *metadata, const char *name, uint64_t otherwise)
{
    JsonNode *node = json_object_get_member(metadata, name);
    uint64_t value;

    return node && json_node_get_u64(node, &value) ? value : otherwise;
}

/* How many records a stream has at most, if it is a regular file; compact records may take two words. */
static uint64_t count_of_stream(const mt_trace *trace, const char *path)
{
    struct stat status;

    if (stat(path, &status) || !S_ISREG(status.st_mode))
        return UINT64_MAX;
    return (uint64_t)status.st_size / (mt_trace_format(trace) == MT_FORMAT_COMPACT ? COMPACT_BYTES : GMBEOO_BYTES);
}

uint64_t input_end_of_trace(const mt_trace *trace)
{
    uint64_t end = 0;

    if (mt_trace_records(trace) == UINT64_MAX)
        return UINT64_MAX;
    for (size_t i = 0; i < mt_trace_blocks(trace); i++)
        end = MAX(end, mt_trace_block(trace, i)->end);
    return end;
}

Range input_events(const Input *input)
{
    uint64_t end = input_end_of_trace(input->trace);

    return (Range){ MIN(end, input->events.begin), MIN(end, input->events.end) };
}

/* How many records input_next() will go through; of a file from which records are missing, at most. */
static uint64_t records_to_read(const Input *input)
{
    uint64_t all = mt_trace_records(input->trace);
    Range events = input_events(input);

    if (all == UINT64_MAX && input->stream_records == UINT64_MAX)
        return PROGRESS_UNKNOWN;
    if (all == UINT64_MAX) /* those before `begin` are read, too */
        return MIN(input->stream_records, input->events.end);
    return MIN(all, events.end - events.begin);
}

void input_set_to_stdout(Input *input)
{
    progress_begin(&input->own_progress, records_to_read(input), true);
}

/* Applies --address. `range` is its range, if it isn't a name. */
static bool select_addresses(Input *input, const char *path, const Selection *selection, Range range, GError **error)
{
    if (!selection->address)
        return true;
    if (named_parts_is_name(selection->address)) {
        input->addresses = named_parts_find_variable(input->trace, path, selection->address, error);
        return input->addresses;
    }
    input->addresses = g_array_new(FALSE, FALSE, sizeof(Range));
    g_array_append_val(input->addresses, range);
    return true;
}

/* Applies --pc and --function. `pc` is the range of --pc, if that isn't a name. */
static bool select_code(Input *input, const char *path, const Selection *selection, Range pc, GError **error)
{
    const char *name = named_parts_is_name(selection->pc) ? selection->pc : NULL;

    if (!selection->pc && !selection->functions)
        return true;
    if (!(mt_trace_fields(input->trace) & MT_FIELD_INSTRUCTION))
        return mt_fail(error, "%s doesn't tell which instruction made an access: %s can't be used", path,
                       selection->pc ? "--pc" : "--function");
    input->code = named_parts_find_code(input->trace, path, pc, name, selection->functions, error);
    return input->code;
}

/* The columns (enum mt_columns) that is_wanted() looks at. */
static unsigned columns_to_select(const Input *input)
{
    return MT_COLUMN_INFO | (input->addresses ? MT_COLUMN_ADDRESS : 0) | (input->code ? MT_COLUMN_INSTRUCTION : 0) |
           (input->tasks || input->code ? MT_COLUMN_TASK : 0) | (input->objects ? ADDRESS_OBJECTS_COLUMNS : 0);
}

/* `part`: one of several readers of the trace of `whole`, of these records; or both are NULL. */
static Input *open_input(const char *path, const Selection *selection, unsigned columns, const Input *whole,
                         const Range *part, GError **error)
{
    g_autoptr(Input) input = g_new0(Input, 1);
    struct mt_error problem;
    SelectionRanges ranges;
    unsigned vcpus;

    if (!selection_parse(selection, &ranges, error))
        return NULL;
    input->path = g_strdup(path);
    input->wanted = batch_copy_new();
    input->is_part = part;
    input->selects_events = ranges.events.begin || ranges.events.end != UINT64_MAX;
    input->events = ranges.events;
    input->cpl = selection->cpl;
    input->vcpu = selection->vcpu;
    input->loads = selection->loads || !selection->stores;
    input->stores = selection->stores || !selection->loads;
    input->has_others_trace = whole;
    input->trace = whole ? whole->trace : input_open_trace(path, ranges.format, error);
    if (!input->trace)
        return NULL;
    vcpus = mt_trace_vcpus(input->trace);
    if (input->vcpu != SELECTION_ANY && vcpus && (unsigned)input->vcpu >= vcpus) {
        mt_fail(error, "%s has no vCPU %d: it has the vCPUs 0 to %u", path, input->vcpu, vcpus - 1);
        return NULL;
    }
    if (part)
        input->events = *part;
    if (!part && !mt_trace_is_complete(input->trace)) {
        g_autofree char *damage = text_make_printable(mt_trace_damage(input->trace));

        fprintf(stderr, "memory_tracer: ATTENTION: the trace is incomplete (%s)\n", damage);
    }
    if ((selection->process || selection->thread) &&
        !(input->tasks = task_selection_new(input->trace, selection->process, selection->thread, error)))
        return NULL;
    if ((selection->objects || selection->regions) &&
        !(input->objects = object_selection_new(input->trace, selection->objects, selection->regions, error)))
        return NULL;
    if (!select_addresses(input, path, selection, ranges.address, error) ||
        !select_code(input, path, selection, ranges.pc, error))
        return NULL;
    input->reader = mt_reader_new(input->trace, columns | columns_to_select(input), &problem);
    if (!input->reader) {
        mt_fail(error, "%s", problem.message);
        return NULL;
    }
    if (input->events.begin && mt_trace_format(input->trace) == MT_FORMAT_FILE &&
        !input_restart(input, input->events, error))
        return NULL;
    input->stream_records = count_of_stream(input->trace, path);
    progress_begin(&input->own_progress, records_to_read(input), false);
    input->own_progress.enabled = input->own_progress.enabled && !part;
    input->progress = &input->own_progress;
    return g_steal_pointer(&input);
}

Input *input_open(const char *path, const Selection *selection, unsigned columns, GError **error)
{
    return open_input(path, selection, columns, NULL, NULL, error);
}

Input *input_open_part(const Input *whole, const char *path, const Selection *selection, unsigned columns, Range events,
                       GError **error)
{
    return open_input(path, selection, columns, whole, &events, error);
}

void input_share_progress(Input *input, Progress *progress, GMutex *lock)
{
    input->progress = progress;
    input->progress_lock = lock;
}

void input_set_claim(Input *input, uint64_t (*claim)(void *claimer), void *claimer)
{
    input->claim = claim;
    input->claimer = claimer;
}

bool input_restart(Input *input, Range events, GError **error)
{
    struct mt_error problem;

    input->events = events;
    input->batch = NULL;
    return mt_reader_seek(input->reader, events.begin, &problem) || mt_fail(error, "%s", problem.message);
}

void input_free(Input *input)
{
    if (!input)
        return;
    progress_end(&input->own_progress);
    g_free(input->path);
    mt_reader_free(input->reader);
    if (!input->has_others_trace)
        mt_trace_close(input->trace);
    task_selection_free(input->tasks);
    object_selection_free(input->objects);
    g_clear_pointer(&input->addresses, g_array_unref);
    named_code_free(input->code);
    g_free(input->selected);
    batch_copy_free(input->wanted);
    g_free(input);
}

static bool selects_by_index_and_object(const Input *input)
{
    return !input->addresses && !input->code && input->cpl == SELECTION_ANY && input->vcpu == SELECTION_ANY &&
           input->loads && input->stores && !input->tasks;
}

bool input_selects_by_index(const Input *input)
{
    return selects_by_index_and_object(input) && !input->objects;
}

bool input_is_whole(const Input *input)
{
    return !input->events.begin && input->events.end == UINT64_MAX && input_selects_by_index(input);
}

static bool touches(const GArray *ranges, uint64_t address, unsigned bytes)
{
    for (guint i = 0; i < ranges->len; i++)
        if (selection_touches(&g_array_index(ranges, Range, i), address, bytes))
            return true;
    return false;
}

static bool is_wanted(const Input *input, size_t i)
{
    const struct mt_batch *batch = input->batch;
    uint64_t index = batch->first + i;
    uint8_t info = batch->info[i];

    if (index < input->events.begin || index >= input->events.end ||
        (input->cpl != SELECTION_ANY && mt_cpl(info) != (unsigned)input->cpl) ||
        !(mt_is_store(info) ? input->stores : input->loads))
        return false;
    if (input->addresses && !touches(input->addresses, batch->address[i], mt_size(info)))
        return false;
    if (input->code && !named_code_wants(input->code, input->memory, batch->instruction[i]))
        return false;
    return !input->objects || object_selection_wants(input->objects, i);
}

bool input_check_found(const GPtrArray *inputs, GError **error)
{
    const Input *first = inputs->pdata[0];
    g_autoptr(GPtrArray) objects = g_ptr_array_new();
    g_autofree char *missing = NULL;

    for (guint i = 0; i < inputs->len; i++)
        if (((const Input *)inputs->pdata[i])->objects)
            g_ptr_array_add(objects, ((const Input *)inputs->pdata[i])->objects);
    missing = object_selection_missing(objects);
    if (!missing)
        return true;
    if (selects_by_index_and_object(first) && !first->selects_events)
        return mt_fail(error, "%s: no access goes to %s", first->path, missing);
    fprintf(stderr, "memory_tracer: note: none of these accesses goes to %s\n", missing);
    return true;
}

static void check_at_end(const Input *input, GError **error)
{
    g_autoptr(GPtrArray) inputs = g_ptr_array_new();

    g_ptr_array_add(inputs, (gpointer)input);
    if (input->vcpu != SELECTION_ANY && !input->found_vcpu && !mt_trace_vcpus(input->trace)) /* a stream */
        mt_fail(error, "%s: no record is vCPU %d's", input->path, input->vcpu);
    else if (input->objects && !input->is_part)
        input_check_found(inputs, error);
}

/* Moves the end of the records until it is behind the current batch, or nobody moves it on. */
static void claim_batch(Input *input)
{
    uint64_t end = input->batch->first + input->batch->count, before;

    while (input->claim && input->events.end < end) {
        before = input->events.end;
        input->events.end = input->claim(input->claimer);
        if (input->events.end == before)
            return;
    }
}

/* Tells the progress that it has these records; with `ends`, that there are no more. */
static void tell_progress(Input *input, uint64_t count, bool ends)
{
    input->untold += count;
    if (!ends && input->progress_lock && input->untold < RECORDS_PER_LOCK)
        return;
    if (input->progress_lock)
        g_mutex_lock(input->progress_lock);
    progress_add(input->progress, input->untold);
    if (ends && !input->progress_lock)
        progress_end(input->progress);
    if (input->progress_lock)
        g_mutex_unlock(input->progress_lock);
    input->untold = 0;
}

/* The next batch of the trace, with progress. NULL at the end, and with an error. */
static const struct mt_batch *next_of_trace(Input *input, GError **error)
{
    struct mt_error problem;
    const struct mt_batch *batch = input->batch;
    bool failed = false;

    if (batch && !input->claim && batch->first + batch->count >= input->events.end) {
        batch = NULL; /* what comes behind isn't read */
    } else {
        batch = mt_reader_next(input->reader, &problem);
        failed = !batch && *problem.message;
    }
    input->batch = batch;
    if (failed)
        mt_fail(error, "%s", problem.message);
    if (batch)
        claim_batch(input);
    if (batch && batch->first >= input->events.end)
        batch = NULL;
    if (!batch && !failed)
        check_at_end(input, error);
    tell_progress(input, batch ? batch->count : 0, !batch);
    return batch;
}

static void select_between(Input *input, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++)
        if (is_wanted(input, i))
            input->selected[input->count++] = (uint32_t)i;
}

/* Selects records of each memory by themselves: an instruction may belong to different programs in different memories.
 */
static void select_by_memory(Input *input)
{
    const TaskMemory *tasks = named_code_task_memory(input->code);
    MemoryRun run = { 0 };

    while (task_memory_next_run(tasks, input->batch, &run)) {
        input->memory = run.memory;
        select_between(input, run.begin, run.end);
    }
}

/* Drops records of other tasks from `selected`. */
static void keep_wanted_tasks(Input *input)
{
    const struct mt_events *tasks = &input->batch->task;
    size_t event = 0, left = 0;

    for (size_t k = 0; k < input->count; k++) {
        while (event < tasks->count && tasks->event[event].before <= input->selected[k])
            event++;
        if (task_selection_wants(input->tasks, event ? tasks->event[event - 1].number : tasks->state))
            input->selected[left++] = input->selected[k];
    }
    input->count = left;
}

/* Goes through the batch task by task, and skips the stretches of tasks that aren't wanted. */
static void select_by_task(Input *input)
{
    EventRun run = { 0 };

    if (input->code && named_code_varies(input->code)) {
        select_by_memory(input);
        if (input->tasks)
            keep_wanted_tasks(input);
        return;
    }
    if (!input->tasks) {
        select_between(input, 0, input->batch->count);
        return;
    }
    while (events_next_run(&input->batch->task, input->batch->count, &run))
        if (task_selection_wants(input->tasks, run.number))
            select_between(input, run.begin, run.end);
}

static void select_records(Input *input)
{
    const struct mt_batch *batch = input->batch;

    if (batch->count > input->room) {
        input->room = batch->count;
        input->selected = g_renew(uint32_t, input->selected, input->room);
    }
    input->count = 0;
    if (input->vcpu != SELECTION_ANY && batch->vcpu != (unsigned)input->vcpu)
        return;
    input->found_vcpu = true;
    if (input->objects)
        object_selection_look_at(input->objects, batch);
    select_by_task(input);
}

int input_next(Input *input, GError **error)
{
    g_autoptr(GError) problem = NULL;

    do {
        if (!next_of_trace(input, &problem)) {
            if (!problem)
                return 0;
            g_propagate_error(error, g_steal_pointer(&problem));
            return -1;
        }
        select_records(input);
    } while (!input->count);
    return 1;
}

/* Whether all records of the current batch are wanted, as can be told without a look at each. */
static bool wants_batch(const Input *input)
{
    const struct mt_batch *batch = input->batch;

    return input_selects_by_index(input) && batch->first >= input->events.begin &&
           batch->first + batch->count <= input->events.end;
}

const struct mt_batch *input_next_batch(Input *input, GError **error)
{
    const struct mt_batch *batch;

    do {
        batch = next_of_trace(input, error);
        if (!batch || wants_batch(input))
            return batch;
        select_records(input);
    } while (!input->count);
    if (input->count == batch->count)
        return batch;
    return batch_copy_some(input->wanted, batch, input->selected, input->count);
}
