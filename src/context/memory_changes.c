/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From changes to stretches: see memory_map.h.
 *
 * The kernel joins neighbouring areas that are alike, and tells the joined area as a new mapping. So where a mapping of
 * the same kind is there already, its object is kept, and only the new addresses get a new object. Thus the results of
 * two calls of mmap() stay apart, and a thread's stack stays one when its neighbours change.
 */
#include "memory_map_private.h"

#include <string.h>

/* Each task and memory has at least one change; this many numbers may have lost theirs with damaged parts of a file. */
#define LOST_MAX 65536

static Memory *get_memory(MemoryMap *map, uint64_t number)
{
    Memory *memory;

    if (!number || number > map->last_number)
        return NULL;
    if (number >= map->memories->len)
        g_ptr_array_set_size(map->memories, (gint)number + 1);
    memory = map->memories->pdata[number];
    if (!memory) {
        map->memories->pdata[number] = memory = g_new0(Memory, 1);
        memory->now = g_array_new(FALSE, FALSE, sizeof(Stretch));
        memory->stretches = g_array_new(FALSE, FALSE, sizeof(Stretch));
    }
    return memory;
}

static MapTask *get_task(MemoryMap *map, uint64_t number)
{
    MapTask *task;

    if (!number || number > map->last_number)
        return NULL;
    if (number >= map->tasks->len)
        g_ptr_array_set_size(map->tasks, (gint)number + 1);
    task = map->tasks->pdata[number];
    if (!task)
        map->tasks->pdata[number] = task = g_new0(MapTask, 1);
    return task;
}

static MappedObject *object_of(const MemoryMap *map, const Stretch *stretch)
{
    return &g_array_index(map->objects, MappedObject, stretch->object);
}

/* What is mapped now. */

/* The index of the first stretch that ends behind the address. */
static guint first_behind(const GArray *now, uint64_t address)
{
    guint first = 0, end = now->len;

    while (first < end) {
        guint middle = first + (end - first) / 2;

        if (g_array_index(now, Stretch, middle).end <= address)
            first = middle + 1;
        else
            end = middle;
    }
    return first;
}

static void insert(MemoryMap *map, Memory *memory, const Stretch *stretch)
{
    if (stretch->begin >= stretch->end || map->stretches >= MEMORY_MAP_STRETCHES_MAX)
        return;
    map->stretches++;
    g_array_insert_val(memory->now, first_behind(memory->now, stretch->begin), *stretch);
}

/* Splits the stretch that goes across the address, if there is one. */
static void split(MemoryMap *map, Memory *memory, uint64_t address)
{
    guint number = first_behind(memory->now, address);
    Stretch *stretch = number < memory->now->len ? &g_array_index(memory->now, Stretch, number) : NULL;
    Stretch second;

    if (!stretch || stretch->begin >= address)
        return;
    second = *stretch;
    second.begin = address;
    stretch->end = address;
    insert(map, memory, &second);
}

/* Unmaps the addresses from `begin` to `end` - 1. What was there is appended to `removed`, unless that is NULL. */
static void cut(MemoryMap *map, Memory *memory, uint64_t begin, uint64_t end, uint64_t position, GArray *removed)
{
    guint first, last;

    if (begin >= end)
        return;
    split(map, memory, begin);
    split(map, memory, end);
    first = first_behind(memory->now, begin);
    for (last = first; last < memory->now->len && g_array_index(memory->now, Stretch, last).begin < end; last++) {
        Stretch *stretch = &g_array_index(memory->now, Stretch, last);

        stretch->to = position;
        if (stretch->to > stretch->from)
            g_array_append_val(memory->stretches, *stretch);
        if (removed)
            g_array_append_val(removed, *stretch);
    }
    if (last > first)
        g_array_remove_range(memory->now, first, last - first);
}

/* Objects. */

static uint32_t add_object(MemoryMap *map, const MappedObject *object)
{
    g_array_append_val(map->objects, *object);
    return map->objects->len - 1;
}

/* Maps a part of an object, and widens the object by its addresses. */
static void put(MemoryMap *map, Memory *memory, Stretch *stretch)
{
    MappedObject *object = object_of(map, stretch);

    if (stretch->begin >= stretch->end)
        return;
    object->begin = MIN(object->begin, stretch->begin);
    object->end = MAX(object->end, stretch->end);
    object->to = UINT64_MAX;
    insert(map, memory, stretch);
}

/* Whether the object `there` is kept where `object` is mapped over it. */
static bool stays(const MappedObject *there, const MappedObject *object)
{
    if (object->region == OBJECT_ANONYMOUS)
        return there->region == OBJECT_ANONYMOUS || (there->region == OBJECT_STACK && there->task);
    return there->region == object->region && !there->task && there->inode == object->inode &&
           !strcmp(there->path, object->path);
}

/* The number of an object that is mapped now and goes on in the new mapping, such as a stack that grows; else
 * UINT32_MAX. */
static uint32_t find_alike(const MemoryMap *map, const Memory *memory, const MappedObject *object)
{
    if (object->region == OBJECT_ANONYMOUS)
        return UINT32_MAX;
    for (guint i = 0; i < memory->now->len; i++) {
        const Stretch *stretch = &g_array_index(memory->now, Stretch, i);

        if (stays(object_of(map, stretch), object))
            return stretch->object;
    }
    return UINT32_MAX;
}

/* Maps `object` where nothing of its kind is mapped yet. `base`: the address of the file's first byte. */
static void cover(MemoryMap *map, Memory *memory, const MappedObject *object, uint64_t position, uint64_t base)
{
    uint32_t number = find_alike(map, memory, object);
    Stretch part = { .from = position, .base = base, .object = number };

    for (uint64_t at = object->begin; at < object->end; at = part.end) {
        guint next = first_behind(memory->now, at);
        const Stretch *there = next < memory->now->len ? &g_array_index(memory->now, Stretch, next) : NULL;

        part.begin = at;
        part.end = MIN(object->end, !there ? UINT64_MAX : there->begin > at ? there->begin : there->end);
        if (there && there->begin <= at && there->base == base && stays(object_of(map, there), object))
            continue;
        if (part.object == UINT32_MAX || object->region == OBJECT_ANONYMOUS) {
            MappedObject own = *object;

            own.begin = part.begin;
            own.end = part.end;
            part.object = add_object(map, &own);
        }
        cut(map, memory, part.begin, part.end, position, NULL);
        put(map, memory, &part);
    }
}

/* Changes. */

static ObjectRegion region_of(const TraceChange *change)
{
    uint64_t flags = change->value[3];

    if (*change->text == '[')
        return OBJECT_VDSO;
    if (flags & CHANGE_MAP_SHARED)
        return OBJECT_SHARED;
    if (*change->text)
        return flags & CHANGE_MAP_EXECUTE ? OBJECT_TEXT : OBJECT_FILE;
    return flags & CHANGE_MAP_STACK ? OBJECT_STACK : OBJECT_ANONYMOUS;
}

static void apply_map(MemoryMap *map, const TraceChange *change, uint64_t position)
{
    Memory *memory = get_memory(map, change->value[0]);
    uint64_t heap = change->value[7], end = change->value[2];
    MappedObject object = { .region = region_of(change),
                            .begin = change->value[1],
                            .end = end,
                            .device = change->value[5],
                            .inode = change->value[6],
                            .from = position,
                            .memory = (uint32_t)change->value[0] };
    bool is_file = object.region == OBJECT_TEXT || object.region == OBJECT_FILE || object.region == OBJECT_SHARED;

    if (!memory)
        return;
    object.path = g_string_chunk_insert_const(map->texts, change->text);
    if (object.region == OBJECT_ANONYMOUS && heap >= object.begin && heap < end)
        object.end = heap;
    cover(map, memory, &object, position, is_file ? object.begin - change->value[4] : 0);
    if (object.end == end)
        return;
    object.region = OBJECT_HEAP;
    object.begin = heap;
    object.end = end;
    cover(map, memory, &object, position, 0);
}

/* Appends what is mapped from `begin` to `end` - 1 to `there`. */
static void list_there(MemoryMap *map, Memory *memory, uint64_t begin, uint64_t end, GArray *there)
{
    split(map, memory, begin);
    split(map, memory, end);
    for (guint i = first_behind(memory->now, begin); i < memory->now->len; i++) {
        const Stretch *stretch = &g_array_index(memory->now, Stretch, i);

        if (stretch->begin >= end)
            return;
        g_array_append_vals(there, stretch, 1);
    }
}

/* mremap(2): a mapping moves, and may become longer or shorter. With MREMAP_DONTUNMAP it also stays where it was. */
static void apply_move(MemoryMap *map, const TraceChange *change)
{
    Memory *memory = get_memory(map, change->value[0]);
    uint64_t begin = change->value[1], end = change->value[2], to = change->value[3], to_end = change->value[4];
    g_autoptr(GArray) moved = g_array_new(FALSE, FALSE, sizeof(Stretch));
    bool stays_there = change->value[5];

    if (!memory || begin > end || to > to_end)
        return;
    if (stays_there)
        list_there(map, memory, begin, end, moved);
    else
        cut(map, memory, begin, end, change->index, moved);
    cut(map, memory, to, to_end, change->index, NULL);
    for (guint i = 0; i < moved->len; i++) {
        Stretch *stretch = &g_array_index(moved, Stretch, i);
        MappedObject *object = object_of(map, stretch);

        if (stays_there) { /* the moved mapping is a new object */
            MappedObject copy = *object;

            stretch->object = add_object(map, &copy);
            object = object_of(map, stretch);
            object->from = change->index;
        }
        if ((!i || stays_there) && begin != to) { /* the object's addresses are the new ones */
            object->begin = UINT64_MAX;
            object->end = 0;
        }
        stretch->begin += to - begin;
        stretch->end = i + 1 < moved->len ? MIN(stretch->end + (to - begin), to_end) : to_end;
        if (stretch->base)
            stretch->base += to - begin;
        stretch->from = change->index;
        put(map, memory, stretch);
    }
}

/* fork(2): the new process has a copy of every mapping. */
static void apply_copy(MemoryMap *map, const TraceChange *change)
{
    Memory *to = get_memory(map, change->value[0]), *from = get_memory(map, change->value[1]);
    g_autoptr(GHashTable) copies = g_hash_table_new(NULL, NULL);

    if (!to || !from || to == from || to->now->len)
        return;
    for (guint i = 0; i < from->now->len && map->stretches < MEMORY_MAP_STRETCHES_MAX; i++) {
        Stretch stretch = g_array_index(from->now, Stretch, i);
        gpointer known = g_hash_table_lookup(copies, GUINT_TO_POINTER(stretch.object + 1));

        if (!known) {
            MappedObject object = *object_of(map, &stretch);

            object.memory = (uint32_t)change->value[0];
            object.from = change->index;
            object.to = UINT64_MAX;
            known = GUINT_TO_POINTER(add_object(map, &object) + 1);
            g_hash_table_insert(copies, GUINT_TO_POINTER(stretch.object + 1), known);
        }
        stretch.object = GPOINTER_TO_UINT(known) - 1;
        stretch.from = change->index;
        map->stretches++;
        g_array_append_val(to->now, stretch);
    }
}

/* After a fork by a thread, the child goes on with a copy of the thread's stack. */
static void take_over_stack(MemoryMap *map, const Memory *memory, uint32_t parent, uint32_t child)
{
    for (guint i = 0; i < memory->now->len; i++) {
        MappedObject *object = object_of(map, &g_array_index(memory->now, Stretch, i));

        if (object->region == OBJECT_STACK && parent && object->task == parent)
            object->task = child;
    }
}

/* Gives a task a memory, from now on. `parent`: the task that has created it, or 0. */
static void give_memory(MemoryMap *map, uint64_t number, uint64_t memory_number, uint32_t parent)
{
    MapTask *task = get_task(map, number);
    Memory *memory = get_memory(map, memory_number);

    if (!task)
        return;
    task->is_known = true;
    task->memory = memory ? (uint32_t)memory_number : 0;
    if (memory && !memory->owner) {
        memory->owner = (uint32_t)number;
        take_over_stack(map, memory, parent, (uint32_t)number);
    }
}

static void apply_task(MemoryMap *map, const TraceChange *change)
{
    MapTask *task = get_task(map, change->value[0]);

    if (!task || task->is_known)
        return;
    task->tid = (uint32_t)change->value[1];
    task->pid = (uint32_t)change->value[2];
    give_memory(map, change->value[0], change->value[6], (uint32_t)change->value[5]);
}

static void apply_stack(MemoryMap *map, const TraceChange *change)
{
    Memory *memory = get_memory(map, change->value[1]);
    uint64_t pointer = change->value[4], begin = change->value[2], end = change->value[3];
    guint number = memory && pointer ? first_behind(memory->now, pointer - 1) : 0;
    const Stretch *there = memory && number < memory->now->len ? &g_array_index(memory->now, Stretch, number) : NULL;
    MappedObject object = { .region = OBJECT_STACK,
                            .path = "",
                            .from = change->index,
                            .memory = (uint32_t)change->value[1],
                            .task = (uint32_t)change->value[0] };
    Stretch stretch = { .from = change->index };
    MapTask *task;

    if (!there || there->begin >= pointer ||
        (object_of(map, there)->region == OBJECT_STACK && !object_of(map, there)->task))
        return; /* nothing is known to be mapped there, or it is the main stack */
    stretch.begin = object.begin = begin ? MAX(begin, there->begin) : there->begin;
    while (number + 1 < memory->now->len &&
           g_array_index(memory->now, Stretch, number + 1).begin == g_array_index(memory->now, Stretch, number).end)
        number++;
    stretch.end = object.end = MIN(end, g_array_index(memory->now, Stretch, number).end);
    if (stretch.begin >= stretch.end)
        return;
    stretch.object = add_object(map, &object);
    cut(map, memory, stretch.begin, stretch.end, change->index, NULL);
    put(map, memory, &stretch);
    task = get_task(map, change->value[0]);
    if (!task)
        return;
    task->stack = stretch;
    task->stack_memory = object.memory;
}

/* Unmaps all that a memory has. */
static void clear(MemoryMap *map, uint64_t number, uint64_t position)
{
    Memory *memory = get_memory(map, number);

    if (memory)
        cut(map, memory, 0, UINT64_MAX, position, NULL);
}

static void apply_unmap(MemoryMap *map, const TraceChange *change)
{
    Memory *memory = get_memory(map, change->value[0]);

    if (memory)
        cut(map, memory, change->value[1], change->value[2], change->index, NULL);
}

static void apply(MemoryMap *map, const TraceChange *change)
{
    switch (change->kind) {
    case CHANGE_TASK:
        apply_task(map, change);
        break;
    case CHANGE_EXEC: /* what the new memory had before was a first stack, which has been moved since */
        clear(map, change->value[1], change->index);
        give_memory(map, change->value[0], change->value[1], 0);
        break;
    case CHANGE_MEMORY:
        give_memory(map, change->value[0], change->value[1], 0);
        break;
    case CHANGE_MAP:
        apply_map(map, change, change->index);
        break;
    case CHANGE_WAS_MAPPED:
        apply_map(map, change, 0);
        break;
    case CHANGE_UNMAP:
        apply_unmap(map, change);
        break;
    case CHANGE_MOVE:
        apply_move(map, change);
        break;
    case CHANGE_COPY:
        apply_copy(map, change);
        break;
    case CHANGE_STACK:
        apply_stack(map, change);
        break;
    case CHANGE_GONE:
        clear(map, change->value[0], change->index);
        break;
    default:
        break;
    }
}

void memory_changes_add(MemoryMap *map, const TraceChange *change)
{
    map->last_number = MAX(map->last_number, LOST_MAX) + 1;
    apply(map, change);
}

const Stretch *memory_changes_find(const Memory *memory, uint64_t address)
{
    guint number = first_behind(memory->now, address);
    const Stretch *stretch = number < memory->now->len ? &g_array_index(memory->now, Stretch, number) : NULL;

    return stretch && stretch->begin <= address ? stretch : NULL;
}

void memory_changes_apply(MemoryMap *map, const TraceChanges *changes)
{
    map->last_number = LOST_MAX + (changes ? changes->list->len : 0);
    for (guint i = 0; changes && i < changes->list->len; i++)
        apply(map, &g_array_index(changes->list, TraceChange, i));
    for (guint i = 0; i < map->memories->len; i++)
        clear(map, map->memories->pdata[i] ? i : 0, UINT64_MAX);
}
