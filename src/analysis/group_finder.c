/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which group each record belongs to: see group_finder.h. */
#include "group_finder.h"

#include <string.h>

#include "../record/change.h"

#define CONTEXT_MASK ((1u << TASK_CONTEXT_BITS) - 1)

/* The tag of instructions that have the same names in all memories. Memories have higher tags. */
#define ANY_MEMORY 0

/* What is known of an instruction or object. */
typedef struct {
    uint32_t group; /* plus 1; 0: not known yet */
    uint32_t tag;   /* the tag of the memory for which that holds, or ANY_MEMORY */
} Known;

struct GroupFinder {
    GroupBy by;
    const Context *context;
    GArray *keys;            /* uint64_t, by group: a process's or task's number (key_of_task()), the address of a name
                                (name_of_instruction()), or an object's or region's number */
    GHashTable *numbers;     /* groups, plus 1, by key */
    AddressObjects *objects; /* for groups of objects or regions; or NULL */
    Known *known;            /* by the number of the instruction or object */
    uint32_t room;           /* elements of `known` */
    GHashTable *of_executed; /* groups, plus 1, of instructions that vary: by `tag << 32 | number` */
    GHashTable *tags;        /* tags by memory */
    GArray *memories;        /* uint32_t: by tag */
    GArray *rows;            /* uint32_t: groups of the current batch's records */
    GStringChunk *names;     /* those that the context doesn't own */
};

GroupWay group_way(GroupBy by)
{
    return by == GROUP_BY_PROCESS || by == GROUP_BY_THREAD  ? GROUP_WAY_TASK
           : by == GROUP_BY_OBJECT || by == GROUP_BY_REGION ? GROUP_WAY_OBJECT
                                                            : GROUP_WAY_INSTRUCTION;
}

GroupFinder *group_finder_new(GroupBy by, const Context *context)
{
    AddressObjects *objects = group_way(by) == GROUP_WAY_OBJECT ? context_new_objects(context) : NULL;
    GroupFinder *finder;

    if (group_way(by) == GROUP_WAY_OBJECT && !objects)
        return NULL;
    finder = g_new0(GroupFinder, 1);
    finder->by = by;
    finder->context = context;
    finder->objects = objects;
    finder->keys = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    finder->numbers = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    finder->of_executed = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    finder->tags = g_hash_table_new(NULL, NULL);
    finder->memories = g_array_new(FALSE, TRUE, sizeof(uint32_t));
    g_array_set_size(finder->memories, ANY_MEMORY + 1);
    finder->rows = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    finder->names = g_string_chunk_new(4096);
    return finder;
}

void group_finder_free(GroupFinder *finder)
{
    if (!finder)
        return;
    g_array_unref(finder->keys);
    g_hash_table_unref(finder->numbers);
    address_objects_free(finder->objects);
    g_free(finder->known);
    g_hash_table_unref(finder->of_executed);
    g_hash_table_unref(finder->tags);
    g_array_unref(finder->memories);
    g_array_unref(finder->rows);
    g_string_chunk_free(finder->names);
    g_free(finder);
}

guint group_finder_count(const GroupFinder *finder)
{
    return finder->keys->len;
}

/* The number of the group with this key, which is made if there is none. */
static uint32_t find_group(GroupFinder *finder, uint64_t key)
{
    guint number = GPOINTER_TO_UINT(g_hash_table_lookup(finder->numbers, &key));

    if (number)
        return number - 1;
    g_array_append_val(finder->keys, key);
    g_hash_table_insert(finder->numbers, g_memdup2(&key, sizeof key), GUINT_TO_POINTER(finder->keys->len));
    return finder->keys->len - 1;
}

/* By task. */

/* The key is the number of a process or a task, above the low bits; or, for accesses that belong to no task, the
 * context (enum mt_task_context). */
static uint64_t key_of_task(const GroupFinder *finder, uint32_t event)
{
    uint64_t context = event & CONTEXT_MASK;
    const Task *task = task_table_task(context_tasks(finder->context), event >> TASK_CONTEXT_BITS);

    if (context || !task)
        return context;
    return (uint64_t)(finder->by == GROUP_BY_PROCESS ? task->process : task->number) << TASK_CONTEXT_BITS;
}

static bool next_task_run(GroupFinder *finder, const struct mt_batch *batch, GroupRun *run)
{
    if (!events_next_run(&batch->task, batch->count, &run->events))
        return false;
    run->begin = run->events.begin;
    run->end = run->events.end;
    run->tag = find_group(finder, key_of_task(finder, run->events.number));
    return true;
}

static void find_by_task(GroupFinder *finder, const struct mt_batch *batch, uint32_t *groups)
{
    GroupRun run = { 0 };

    while (next_task_run(finder, batch, &run))
        for (size_t i = run.begin; i < run.end; i++)
            groups[i] = run.tag;
}

/* By instruction. */

/* The name that an instruction is grouped by; NULL: unknown. The same name is always the same pointer. */
static const char *name_of_instruction(GroupFinder *finder, uint32_t memory, uint32_t number)
{
    const struct mt_symbol *symbol = context_symbol_in(finder->context, memory, number);
    g_autofree char *line = NULL;
    uint64_t offset;

    switch (finder->by) {
    case GROUP_BY_FUNCTION: /* the context keeps each name once */
        return context_function_in(finder->context, memory, number, &offset);
    case GROUP_BY_LINE:
        line = symbol && symbol->line ? g_strdup_printf("%s:%u", symbol->file, symbol->line) : NULL;
        return line ? g_string_chunk_insert_const(finder->names, line) : NULL;
    default:
        return symbol && symbol->object ? g_string_chunk_insert_const(finder->names, symbol->object) : NULL;
    }
}

/* Memories get small numbers here, because those of the trace can be large. */
static uint32_t tag_of_memory(GroupFinder *finder, uint32_t memory)
{
    guint tag = GPOINTER_TO_UINT(g_hash_table_lookup(finder->tags, GUINT_TO_POINTER(memory)));

    if (!tag) {
        tag = finder->memories->len;
        g_array_append_val(finder->memories, memory);
        g_hash_table_insert(finder->tags, GUINT_TO_POINTER(memory), GUINT_TO_POINTER(tag));
    }
    return tag;
}

static bool next_memory_run(GroupFinder *finder, const struct mt_batch *batch, GroupRun *run)
{
    if (!context_next_memory_run(finder->context, batch, &run->memory))
        return false;
    run->begin = run->memory.begin;
    run->end = run->memory.end;
    run->tag = tag_of_memory(finder, run->memory.memory);
    return true;
}

static uint32_t find_executed(GroupFinder *finder, uint32_t tag, uint32_t number)
{
    uint64_t key = (uint64_t)tag << 32 | number;
    uint32_t group = GPOINTER_TO_UINT(g_hash_table_lookup(finder->of_executed, &key));

    if (!group) {
        uint32_t memory = g_array_index(finder->memories, uint32_t, tag);

        group = find_group(finder, (uintptr_t)name_of_instruction(finder, memory, number)) + 1;
        g_hash_table_insert(finder->of_executed, g_memdup2(&key, sizeof key), GUINT_TO_POINTER(group));
    }
    return group;
}

static void make_room(GroupFinder *finder, uint32_t number)
{
    uint32_t room = MAX(2 * finder->room, number + 1024);

    finder->known = g_renew(Known, finder->known, room);
    memset(finder->known + finder->room, 0, (room - finder->room) * sizeof *finder->known);
    finder->room = room;
}

static uint64_t key_of_number(GroupFinder *finder, uint32_t number)
{
    if (finder->by == GROUP_BY_REGION)
        return address_objects_region(finder->objects, number);
    return finder->objects ? number : (uintptr_t)name_of_instruction(finder, 0, number);
}

static __attribute__((noinline)) void look_up(GroupFinder *finder, uint32_t tag, uint32_t number)
{
    bool varies = !finder->objects && context_names_vary(finder->context, number);
    uint32_t group =
        varies ? find_executed(finder, tag, number) : find_group(finder, key_of_number(finder, number)) + 1;

    finder->known[number] = (Known){ group, varies ? tag : ANY_MEMORY };
}

/* An instruction that varies is mostly executed in the same memory as before. */
static inline uint32_t group_of(GroupFinder *finder, uint32_t tag, uint32_t number)
{
    const Known *known;

    if (G_UNLIKELY(number >= finder->room))
        make_room(finder, number);
    known = &finder->known[number];
    if (G_UNLIKELY(!known->group || (known->tag != tag && known->tag != ANY_MEMORY)))
        look_up(finder, tag, number);
    return finder->known[number].group - 1;
}

static void find_by_instruction(GroupFinder *finder, const struct mt_batch *batch, uint32_t *groups)
{
    GroupRun run = { 0 };

    while (next_memory_run(finder, batch, &run))
        for (size_t i = run.begin; i < run.end; i++)
            groups[i] = group_of(finder, run.tag, batch->instruction[i]);
}

/* By object. */

static void find_by_object(GroupFinder *finder, const struct mt_batch *batch, uint32_t *groups)
{
    address_objects_number(finder->objects, batch, groups);
    for (size_t i = 0; i < batch->count; i++)
        groups[i] = group_of(finder, ANY_MEMORY, groups[i]);
}

static bool next_object_run(GroupFinder *finder, const struct mt_batch *batch, GroupRun *run)
{
    if (run->end >= batch->count)
        return false;
    g_array_set_size(finder->rows, (guint)batch->count);
    find_by_object(finder, batch, (uint32_t *)finder->rows->data);
    *run = (GroupRun){ .end = batch->count, .groups = (const uint32_t *)finder->rows->data };
    return true;
}

/* All of them. */

void group_finder_find(GroupFinder *finder, const struct mt_batch *batch, uint32_t *groups)
{
    switch (group_way(finder->by)) {
    case GROUP_WAY_TASK:
        find_by_task(finder, batch, groups);
        break;
    case GROUP_WAY_INSTRUCTION:
        find_by_instruction(finder, batch, groups);
        break;
    default:
        find_by_object(finder, batch, groups);
    }
}

bool group_finder_next_run(GroupFinder *finder, const struct mt_batch *batch, GroupRun *run)
{
    switch (group_way(finder->by)) {
    case GROUP_WAY_TASK:
        return next_task_run(finder, batch, run);
    case GROUP_WAY_INSTRUCTION:
        return next_memory_run(finder, batch, run);
    default:
        return next_object_run(finder, batch, run);
    }
}

uint32_t group_finder_of(GroupFinder *finder, uint32_t tag, uint32_t instruction)
{
    return group_way(finder->by) == GROUP_WAY_INSTRUCTION ? group_of(finder, tag, instruction) : tag;
}

/* Names. */

static const char *context_name(uint64_t context)
{
    return context == MT_TASK_IN_INTERRUPT ? "(interrupts)"
           : context == MT_TASK_IN_SOFTIRQ ? "(softirqs)"
                                           : "(unknown)";
}

const char *group_finder_name(const GroupFinder *finder, guint group, uint64_t *pid, uint64_t *tid)
{
    const TaskTable *tasks = context_tasks(finder->context);
    uint64_t key = g_array_index(finder->keys, uint64_t, group);
    uint32_t number = (uint32_t)(key >> TASK_CONTEXT_BITS);
    const Task *task;

    *pid = *tid = 0;
    if (finder->by == GROUP_BY_REGION)
        return object_region_name((ObjectRegion)key);
    if (finder->objects)
        return address_objects_name(finder->objects, (uint32_t)key);
    if (group_way(finder->by) == GROUP_WAY_INSTRUCTION)
        return key ? (const char *)(uintptr_t)key : "(unknown)";
    if (!number)
        return context_name(key);
    if (finder->by == GROUP_BY_PROCESS) {
        *pid = task_table_process(tasks, number)->tgid;
        return task_table_process_name(tasks, number);
    }
    task = task_table_task(tasks, number);
    *pid = task->tgid;
    *tid = task->pid;
    return task->name;
}

const char *group_finder_region(const GroupFinder *finder, guint group)
{
    uint64_t key = g_array_index(finder->keys, uint64_t, group);

    return object_region_name(address_objects_region(finder->objects, (uint32_t)key));
}

int group_finder_compare(const GroupFinder *finder, guint a, guint b)
{
    uint64_t one = g_array_index(finder->keys, uint64_t, a), other = g_array_index(finder->keys, uint64_t, b);

    if (group_way(finder->by) == GROUP_WAY_INSTRUCTION && one && other) /* pointers' order would not repeat */
        return strcmp((const char *)(uintptr_t)one, (const char *)(uintptr_t)other);
    return one < other ? -1 : one > other;
}
