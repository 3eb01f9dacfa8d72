/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the records of a trace belong to: see context.h. */
#include "context.h"

#include <string.h>

#include "../base/json_numbers.h"
#include "../record/x86.h"
#include "../trace/file.h"
#include "names.h"

#define LOCK_TRIES 200

/* Made when first needed. Threads may ask at the same time. */
typedef struct {
    GMutex lock;
    AddressObjects *objects;
} SharedObjects;

struct Context {
    mt_trace *trace;  /* NULL while a guest runs */
    const Ring *ring; /* NULL for a trace */
    Names *names;     /* of `trace`, or of the ring's instructions; or NULL */
    TaskTable *tasks;
    SharedObjects *shared;
    LiveMemory *live; /* of `ring`, if objects are wanted; or NULL */
    LiveCode *code;   /* of `ring`, if its names are wanted while it runs; or NULL */
};

Context *context_new(mt_trace *trace)
{
    Context *context = g_new0(Context, 1);
    const TraceFile *file = trace ? trace_file_of(trace) : NULL;

    context->trace = trace;
    context->names = trace ? names_new(trace, true) : NULL;
    context->tasks = task_table_new_of(file ? file->changes : NULL);
    context->shared = g_new0(SharedObjects, 1);
    return context;
}

Context *context_new_live(const Ring *ring, const LiveFacts *facts)
{
    Context *context = g_new0(Context, 1);

    context->ring = ring;
    context->tasks = task_table_new();
    context->shared = g_new0(SharedObjects, 1);
    if (facts && (ring_fields(ring) & MT_FIELD_TASK))
        context->live = live_memory_new(facts);
    return context;
}

void context_free(Context *context)
{
    if (!context)
        return;
    names_free(context->names);
    task_table_free(context->tasks);
    address_objects_free(context->shared->objects);
    g_free(context->shared);
    live_memory_free(context->live);
    live_code_free(context->code);
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

bool context_has_page_sizes(const Context *context)
{
    return fields_of(context) & MT_FIELD_PAGE_SIZE;
}

bool context_has_times(const Context *context)
{
    return fields_of(context) & MT_FIELD_TIME;
}

/* Metadata are JSON objects, one a line. The last one that has a member counts. */
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

unsigned context_vcpus(const Context *context)
{
    return context->ring ? ring_vcpus(context->ring) : context->trace ? mt_trace_vcpus(context->trace) : 0;
}

bool context_order_is_exact(const Context *context)
{
    if (context_vcpus(context) == 1)
        return true;
    return context->ring ? ring_is_in_turns(context->ring)
                         : context->trace && was_recorded_in_order(mt_trace_metadata(context->trace));
}

uint32_t context_instructions(const Context *context)
{
    return context->trace ? mt_trace_instructions(context->trace) : 0;
}

const struct mt_instruction *context_instruction(const Context *context, uint32_t number)
{
    if (!context->ring)
        return context->trace ? mt_trace_instruction(context->trace, number) : NULL;
    /* Number 0 is no instruction, in a ring as in a file. */
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

/* Which memory each task has when; NULL if only the present is known. */
static const TaskMemory *memories_of(const Context *context)
{
    return context->names ? names_task_memory(context->names) : NULL;
}

uint32_t context_memory(const Context *context, uint32_t task, uint64_t index, uint64_t *until)
{
    const TaskMemory *memories = memories_of(context);
    const Task *known = memories ? NULL : task_table_task(context->tasks, task);
    uint64_t from;

    *until = UINT64_MAX;
    if (memories)
        return task_memory_at(memories, task, index, &from, until);
    return known ? known->memory : 0;
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
    if (context->live)
        live_memory_add(context->live, &taken);
}

void context_name_code(Context *context, const LiveCodeFacts *facts)
{
    live_code_free(context->code);
    context->code = live_code_new(context->ring, facts);
}

void context_set_names(Context *context, mt_trace *trace)
{
    names_free(context->names);
    context->names = names_new(trace, true);
}

AddressObjects *context_new_objects(const Context *context)
{
    if (context->live)
        return address_objects_new_live(context->live);
    return context->trace && trace_file_of(context->trace) ? address_objects_new(context->trace) : NULL;
}

bool context_has_objects(const Context *context)
{
    return context->live || (context->trace && trace_file_of(context->trace) && context_has_tasks(context));
}

/* The lock is held for about a microsecond at a time. A thread that sleeps until it is free loses more than that. */
static void lock_objects(const Context *context)
{
    for (guint i = 0; i < LOCK_TRIES; i++)
        if (g_mutex_trylock(&context->shared->lock))
            return;
    g_mutex_lock(&context->shared->lock);
}

void context_objects_at(const Context *context, const struct mt_batch *batch, const uint32_t *records, size_t count,
                        uint32_t *numbers)
{
    memset(numbers, 0, count * sizeof *numbers);
    if (!context_has_objects(context))
        return;
    lock_objects(context);
    if (!context->shared->objects)
        context->shared->objects = context_new_objects(context);
    for (size_t i = 0; i < count; i++)
        numbers[i] = address_objects_number_at(context->shared->objects, batch, records[i]);
    g_mutex_unlock(&context->shared->lock);
}

uint32_t context_object_at(const Context *context, const struct mt_batch *batch, size_t i)
{
    uint32_t record = (uint32_t)i, number;

    context_objects_at(context, batch, &record, 1, &number);
    return number;
}

ObjectRegion context_object_region(const Context *context, uint32_t number)
{
    ObjectRegion region;

    g_mutex_lock(&context->shared->lock);
    region = address_objects_region(context->shared->objects, number);
    g_mutex_unlock(&context->shared->lock);
    return region;
}

const char *context_object_name(const Context *context, uint32_t number)
{
    const char *name;

    g_mutex_lock(&context->shared->lock);
    name = address_objects_name(context->shared->objects, number);
    g_mutex_unlock(&context->shared->lock);
    return name;
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
    if (context->code) {
        const NamedInstruction *named = live_code_find(context->code, memory, number);

        return named ? &named->symbol : NULL;
    }
    return context->names ? names_symbol_in(context->names, memory, number) : NULL;
}

const char *context_function_in(const Context *context, uint32_t memory, uint32_t number, uint64_t *offset)
{
    if (context->code) {
        const NamedInstruction *named = live_code_find(context->code, memory, number);

        *offset = named ? named->symbol.offset : 0;
        return named ? named->text : NULL;
    }
    return context->names ? names_of_instruction_in(context->names, memory, number, offset) : NULL;
}

bool context_names_vary(const Context *context, uint32_t number)
{
    const struct mt_instruction *instruction = context->code ? context_instruction(context, number) : NULL;

    return instruction ? !x86_is_kernel_code(instruction) : context->names && names_vary(context->names, number);
}

void context_list_functions_in(const Context *context, uint32_t memory, uint32_t number, GPtrArray *to)
{
    if (context->code)
        code_names_list_functions(live_code_find(context->code, memory, number), to);
    else if (context->names)
        names_list_functions_in(context->names, memory, number, to);
}

/* Of a live ring: as its tasks are now. */
static bool next_run_now(const Context *context, const struct mt_batch *batch, MemoryRun *run)
{
    const Task *task;

    if (!events_next_run(&batch->task, batch->count, &run->events))
        return false;
    task = task_table_task(context->tasks, run->events.number >> TASK_CONTEXT_BITS);
    *run = (MemoryRun){ run->events.begin, run->events.end, task ? task->memory : 0, run->events };
    return true;
}

bool context_next_memory_run(const Context *context, const struct mt_batch *batch, MemoryRun *run)
{
    const TaskMemory *tasks = memories_of(context);

    return tasks ? task_memory_next_run(tasks, batch, run) : next_run_now(context, batch, run);
}
