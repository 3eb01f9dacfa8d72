/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What records belong to: see context.h. */
#include "context.h"

#include <string.h>

#include "../base/json_numbers.h"
#include "../trace/file.h"
#include "names.h"

struct Context {
    mt_trace *trace; /* or */
    const Ring *ring;
    Names *names; /* of `trace`; or NULL */
    TaskTable *tasks;
    GArray *memories; /* MemoryOfTask, by task and index; of a trace */
};

/* From the record `index` on a task has this memory. */
typedef struct {
    uint64_t index;
    uint32_t task, memory;
} MemoryOfTask;

static gint compare_memories(gconstpointer a, gconstpointer b)
{
    const MemoryOfTask *one = a, *other = b;

    if (one->task != other->task)
        return one->task < other->task ? -1 : 1;
    return one->index < other->index ? -1 : one->index > other->index;
}

/* What tasks begin with counts from the trace's beginning: they may have been seen late. */
static GArray *list_memories(const TraceChanges *changes)
{
    GArray *list = g_array_new(FALSE, FALSE, sizeof(MemoryOfTask));

    for (guint i = 0; changes && i < changes->list->len; i++) {
        const TraceChange *change = &g_array_index(changes->list, TraceChange, i);
        MemoryOfTask memory = { .task = (uint32_t)change->value[0] };

        if (change->kind == CHANGE_EXEC)
            memory.index = change->index;
        else if (change->kind != CHANGE_TASK)
            continue;
        memory.memory = (uint32_t)change->value[change->kind == CHANGE_EXEC ? 1 : 6];
        g_array_append_val(list, memory);
    }
    g_array_sort(list, compare_memories); /* stable */
    return list;
}

Context *context_new(mt_trace *trace)
{
    Context *context = g_new0(Context, 1);
    const TraceFile *file = trace ? trace_file_of(trace) : NULL;

    context->trace = trace;
    context->names = trace ? names_new(trace, true) : NULL;
    context->tasks = task_table_new_of(file ? file->changes : NULL);
    context->memories = list_memories(file ? file->changes : NULL);
    return context;
}

Context *context_new_live(const Ring *ring)
{
    Context *context = g_new0(Context, 1);

    context->ring = ring;
    context->tasks = task_table_new();
    return context;
}

void context_free(Context *context)
{
    if (!context)
        return;
    names_free(context->names);
    task_table_free(context->tasks);
    g_clear_pointer(&context->memories, g_array_unref);
    g_free(context);
}

static unsigned fields_of(const Context *context)
{
    if (context->ring)
        return ring_fields(context->ring);
    return context->trace ? mt_trace_fields(context->trace) : 0;
}

bool context_has_instructions(const Context *context)
{
    return fields_of(context) & MT_FIELD_INSTRUCTION;
}

bool context_has_physical(const Context *context)
{
    return fields_of(context) & MT_FIELD_PADDR;
}

bool context_has_times(const Context *context)
{
    return fields_of(context) & MT_FIELD_TIME;
}

/* Metadata are objects, a line each, of which the last one that tells counts. */
static bool was_recorded_in_order(const char *metadata)
{
    g_auto(GStrv) lines = g_strsplit(metadata, "\n", -1);
    bool strict = false, icount = false;

    for (char **line = lines; *line; line++) {
        g_autoptr(JsonNode) node = json_parse_text(*line);
        JsonObject *object = node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;

        if (object && json_object_has_member(object, "strict_order"))
            strict = json_object_get_boolean_member_with_default(object, "strict_order", FALSE);
        if (object && json_object_has_member(object, "icount"))
            icount = *json_object_get_string_member_with_default(object, "icount", "");
    }
    return strict || icount;
}

bool context_order_is_exact(const Context *context)
{
    if (context->ring)
        return ring_vcpus(context->ring) == 1 || ring_is_in_turns(context->ring);
    return context->trace &&
           (mt_trace_vcpus(context->trace) == 1 || was_recorded_in_order(mt_trace_metadata(context->trace)));
}

const struct mt_instruction *context_instruction(const Context *context, uint32_t number)
{
    if (!context->ring)
        return context->trace ? mt_trace_instruction(context->trace, number) : NULL;
    /* A ring's begin as a file's do (trace/reader.c). */
    return number && number < ring_instructions(context->ring) ? ring_get_instruction(context->ring, number) : NULL;
}

bool context_has_tasks(const Context *context)
{
    return fields_of(context) & MT_FIELD_TASK;
}

const TaskTable *context_tasks(const Context *context)
{
    return context->tasks;
}

uint32_t context_memory(const Context *context, uint32_t task, uint64_t index, uint64_t *until)
{
    const MemoryOfTask *list = context->memories ? (const MemoryOfTask *)context->memories->data : NULL;
    guint low = 0, high = context->memories ? context->memories->len : 0;

    *until = UINT64_MAX;
    if (!context->memories) {
        const Task *known = task_table_task(context->tasks, task);

        return known ? known->memory : 0;
    }
    while (low < high) { /* the first one that is later */
        guint middle = low + (high - low) / 2;

        if (list[middle].task < task || (list[middle].task == task && list[middle].index <= index))
            low = middle + 1;
        else
            high = middle;
    }
    if (low < context->memories->len && list[low].task == task)
        *until = list[low].index;
    return low && list[low - 1].task == task ? list[low - 1].memory : 0;
}

void context_note_change(Context *context, uint32_t number)
{
    Change change;
    TraceChange taken = { .text = change.text };

    if (!ring_get_change(context->ring, number, &change))
        return;
    taken.kind = change.kind;
    memcpy(taken.value, change.value, sizeof taken.value);
    task_table_add(context->tasks, &taken);
}

AddressObjects *context_new_objects(const Context *context)
{
    return context->trace && trace_file_of(context->trace) ? address_objects_new(context->trace) : NULL;
}

const struct mt_symbol *context_symbol(const Context *context, uint32_t number)
{
    return context->names ? names_symbol(context->names, number) : NULL;
}

const char *context_function(const Context *context, uint32_t number, uint64_t *offset)
{
    return context->names ? names_of_instruction(context->names, number, offset) : NULL;
}

const struct mt_symbol *context_symbol_in(const Context *context, uint32_t memory, uint32_t number)
{
    return context->names ? names_symbol_in(context->names, memory, number) : NULL;
}

const char *context_function_in(const Context *context, uint32_t memory, uint32_t number, uint64_t *offset)
{
    return context->names ? names_of_instruction_in(context->names, memory, number, offset) : NULL;
}

bool context_names_vary(const Context *context, uint32_t number)
{
    return context->names && names_vary(context->names, number);
}

const TaskMemory *context_task_memory(const Context *context)
{
    return context->names ? names_task_memory(context->names) : NULL;
}
