/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which accesses of a running guest are analysed: see live_selection.h. */
#include "live_selection.h"

#include <string.h>

#include "../base/error.h"
#include "../ring/columns.h"
#include "../source/named_parts.h"
#include "../source/object_selection.h"
#include "../source/task_selection.h"
#include "../trace/batch_columns.h"

struct LiveSelection {
    const Selection *options;
    SelectionRanges ranges;
    Context *context;
    ObjectSelection *objects;  /* NULL: all */
    NamedFunctions *functions; /* NULL: all */
    bool found_vcpu, found_task;
    bool wanted[RING_COLUMNS_RECORDS];
    uint64_t index[RING_COLUMNS_RECORDS]; /* of the wanted records */
};

bool live_selection_check(const Selection *options, GError **error)
{
    SelectionRanges ranges;

    if (!selection_parse(options, &ranges, error))
        return false;
    if (named_parts_is_name(options->pc))
        return mt_fail_usage(error, "--pc must be A..B while a guest runs; --function selects by name");
    if (named_parts_is_name(options->address))
        return mt_fail_usage(error, "--address must be A..B while a guest runs; --object selects by name");
    return true;
}

unsigned live_selection_columns(const Selection *options)
{
    return (options->objects || options->regions ? ADDRESS_OBJECTS_COLUMNS : 0) |
           (options->functions ? MT_COLUMN_INSTRUCTION | MT_COLUMN_TASK : 0) |
           (options->pc ? MT_COLUMN_INSTRUCTION : 0) | (options->process || options->thread ? MT_COLUMN_TASK : 0);
}

bool live_selection_follows_changes(const Selection *options)
{
    return options->objects || options->regions || options->functions || options->process || options->thread;
}

static bool select_objects(LiveSelection *selection, GError **error)
{
    const Selection *options = selection->options;
    AddressObjects *objects;

    if (!options->objects && !options->regions)
        return true;
    objects = context_has_tasks(selection->context) ? context_new_objects(selection->context) : NULL;
    if (!objects)
        return mt_fail(error, "this guest doesn't tell its tasks: --object and --region can't be used");
    selection->objects = object_selection_new_of(objects, options->objects, options->regions);
    return true;
}

LiveSelection *live_selection_new(const Selection *options, Context *context, GError **error)
{
    g_autoptr(LiveSelection) selection = g_new0(LiveSelection, 1);

    selection->options = options;
    selection->context = context;
    if (!selection_parse(options, &selection->ranges, error) || !select_objects(selection, error))
        return NULL;
    if ((options->process || options->thread) && !context_has_tasks(context)) {
        mt_fail(error, "this guest doesn't tell its tasks: --process and --thread can't be used");
        return NULL;
    }
    if (options->functions)
        selection->functions = named_functions_new(context, options->functions);
    return g_steal_pointer(&selection);
}

void live_selection_free(LiveSelection *selection)
{
    if (!selection)
        return;
    object_selection_free(selection->objects);
    named_functions_free(selection->functions);
    g_free(selection);
}

/* Each of these drops records from `wanted`, or sets all of it. */

static void select_by_access(LiveSelection *selection, const struct mt_batch *batch)
{
    const Selection *options = selection->options;
    const Range range = selection->ranges.address;
    bool loads = options->loads || !options->stores, stores = options->stores || !options->loads;

    for (size_t i = 0; i < batch->count; i++) {
        uint8_t info = batch->info[i];

        selection->wanted[i] = (options->cpl == SELECTION_ANY || mt_cpl(info) == (unsigned)options->cpl) &&
                               (mt_is_store(info) ? stores : loads) &&
                               selection_touches(&range, batch->address[i], mt_size(info));
    }
}

static void select_by_function(LiveSelection *selection, const struct mt_batch *batch)
{
    bool wanted[RING_COLUMNS_RECORDS];

    named_functions_look_at(selection->functions, batch, wanted);
    for (size_t i = 0; i < batch->count; i++)
        selection->wanted[i] &= wanted[i];
}

static void select_by_pc(LiveSelection *selection, const struct mt_batch *batch)
{
    const Range range = selection->ranges.pc;

    for (size_t i = 0; i < batch->count; i++) {
        const struct mt_instruction *instruction = context_instruction(selection->context, batch->instruction[i]);

        selection->wanted[i] &= instruction && instruction->pc >= range.begin && instruction->pc < range.end;
    }
}

/* Tasks are called as they are now. */
static void select_by_task(LiveSelection *selection, const struct mt_batch *batch)
{
    const TaskTable *tasks = context_tasks(selection->context);
    EventRun run = { 0 };

    while (events_next_run(&batch->task, batch->count, &run)) {
        bool means = task_selection_means(tasks, run.number, selection->options->process, selection->options->thread);

        selection->found_task |= means;
        if (!means)
            memset(selection->wanted + run.begin, false, run.end - run.begin);
    }
}

static void select_by_object(LiveSelection *selection, const struct mt_batch *batch)
{
    object_selection_look_at(selection->objects, batch);
    for (size_t i = 0; i < batch->count; i++)
        selection->wanted[i] = object_selection_wants(selection->objects, i) && selection->wanted[i];
}

static void find_wanted(LiveSelection *selection, const struct mt_batch *batch)
{
    const Selection *options = selection->options;

    select_by_access(selection, batch);
    if (options->pc)
        select_by_pc(selection, batch);
    if (options->process || options->thread)
        select_by_task(selection, batch);
    if (selection->functions)
        select_by_function(selection, batch);
    if (selection->objects)
        select_by_object(selection, batch);
}

static void move_record(const struct mt_batch *batch, size_t from, size_t to)
{
#define MOVE(type, column)                                                                                             \
    if (batch->column)                                                                                                 \
        ((type *)batch->column)[to] = batch->column[from];
    BATCH_COLUMNS(MOVE)
#undef MOVE
}

void live_selection_apply(LiveSelection *selection, struct mt_batch *batch, struct mt_event *events)
{
    size_t kept = 0, event = 0;

    if (selection->options->vcpu != SELECTION_ANY && batch->vcpu != (unsigned)selection->options->vcpu) {
        batch->count = 0;
        return;
    }
    selection->found_vcpu = true;
    find_wanted(selection, batch);
    for (size_t i = 0; i < batch->count; i++) {
        for (; event < batch->task.count && batch->task.event[event].before <= i; event++)
            events[event].before = (uint32_t)kept;
        if (!selection->wanted[i])
            continue;
        selection->index[kept] = batch->first + i;
        move_record(batch, i, kept++);
    }
    for (; event < batch->task.count; event++)
        events[event].before = (uint32_t)kept;
    batch->index = selection->index;
    batch->count = kept;
}

static void list_unknown_tasks(const LiveSelection *selection, GPtrArray *lines)
{
    const Selection *options = selection->options;

    if (selection->found_task || (!options->process && !options->thread))
        return;
    if (options->process && options->thread)
        g_ptr_array_add(lines, g_strdup_printf("no access was made by a thread '%s' of a process '%s'", options->thread,
                                               options->process));
    else
        g_ptr_array_add(lines,
                        g_strdup_printf("no access was made by a %s '%s'", options->process ? "process" : "thread",
                                        options->process ? options->process : options->thread));
}

static void list_unknown_objects(const LiveSelection *selection, GPtrArray *lines)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new();
    g_autofree char *missing = NULL;

    if (!selection->objects)
        return;
    g_ptr_array_add(all, selection->objects);
    missing = object_selection_missing(all);
    if (missing)
        g_ptr_array_add(lines, g_strdup_printf("no access goes to %s", missing));
}

void live_selection_list_unknown(const LiveSelection *selection, GPtrArray *lines)
{
    if (selection->options->vcpu != SELECTION_ANY && !selection->found_vcpu)
        g_ptr_array_add(lines, g_strdup_printf("no access was made by vCPU %d", selection->options->vcpu));
    list_unknown_tasks(selection, lines);
    for (guint i = 0; selection->functions && selection->options->functions[i]; i++)
        if (!named_functions_has_found(selection->functions, i))
            g_ptr_array_add(lines, g_strdup_printf("no code of a function '%s' was executed that makes accesses",
                                                   selection->options->functions[i]));
    list_unknown_objects(selection, lines);
}
