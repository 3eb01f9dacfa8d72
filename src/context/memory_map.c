/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was mapped where and when: see memory_map.h. memory_changes.c makes stretches of the changes. */
#include "memory_map.h"

#include <string.h>

#include "memory_map_private.h"

static void free_memory(void *data)
{
    Memory *memory = data;

    if (!memory)
        return;
    g_array_unref(memory->now);
    g_array_unref(memory->stretches);
    g_clear_pointer(&memory->borders, g_array_unref);
    g_free(memory->cells);
    g_free(memory->members);
    g_free(memory);
}

static gint compare_numbers(gconstpointer a, gconstpointer b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static gint compare_times(gconstpointer a, gconstpointer b)
{
    const Stretch *x = a, *y = b;

    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    return x->to < y->to ? -1 : x->to > y->to;
}

/* The index of the last border at the address or before it; -1 if there is none. */
static gint64 find_border(const GArray *borders, uint64_t address)
{
    guint first = 0, end = borders->len;

    while (first < end) {
        guint middle = first + (end - first) / 2;

        if (g_array_index(borders, uint64_t, middle) <= address)
            first = middle + 1;
        else
            end = middle;
    }
    return (gint64)first - 1;
}

static void find_borders(Memory *memory)
{
    guint kept = 0;

    memory->borders = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    for (guint i = 0; i < memory->stretches->len; i++) {
        const Stretch *stretch = &g_array_index(memory->stretches, Stretch, i);

        g_array_append_val(memory->borders, stretch->begin);
        g_array_append_val(memory->borders, stretch->end);
    }
    g_array_sort(memory->borders, compare_numbers);
    for (guint i = 0; i < memory->borders->len; i++) {
        uint64_t border = g_array_index(memory->borders, uint64_t, i);

        if (!kept || border != g_array_index(memory->borders, uint64_t, kept - 1))
            g_array_index(memory->borders, uint64_t, kept++) = border;
    }
    g_array_set_size(memory->borders, kept);
}

/* Lists the stretches of each cell (the addresses between two borders). `room` limits the lists of all memories. */
static void find_members(Memory *memory, size_t *room)
{
    guint cells, all = 0;

    g_array_sort(memory->stretches, compare_times);
    find_borders(memory);
    cells = memory->borders->len;
    memory->cells = g_new0(guint, (gsize)cells + 2);
    for (int fill = 0; fill < 2; fill++) {
        size_t left = *room;

        for (guint i = 0; i < memory->stretches->len; i++) {
            const Stretch *stretch = &g_array_index(memory->stretches, Stretch, i);
            guint first = (guint)find_border(memory->borders, stretch->begin);
            guint end = (guint)find_border(memory->borders, stretch->end);

            if (end - first > left)
                break;
            left -= end - first;
            for (guint cell = first; cell < end; cell++) {
                if (fill)
                    memory->members[memory->cells[cell + 1]] = i;
                memory->cells[cell + (fill ? 1 : 2)]++;
            }
        }
        if (fill) {
            *room = left;
            continue;
        }
        for (guint cell = 0; cell < cells + 2; cell++)
            memory->cells[cell] = all += memory->cells[cell];
        memory->members = g_new(guint, MAX(all, 1));
    }
}

/* Names. */

static const MapTask *task_of(const MemoryMap *map, uint32_t number)
{
    return number < map->tasks->len ? map->tasks->pdata[number] : NULL;
}

static char *name_of(const MemoryMap *map, const MappedObject *object)
{
    const MapTask *task = task_of(map, object->task); /* main stacks have no task yet */

    switch (object->region) {
    case OBJECT_STACK:
        return g_strdup_printf("stack of %u", task ? task->tid : object->pid);
    case OBJECT_HEAP:
        return g_strdup_printf("heap of %u", object->pid);
    case OBJECT_ANONYMOUS:
        return g_strdup_printf("anonymous %" G_GINT64_MODIFIER "x of %u", object->begin, object->pid);
    case OBJECT_SHARED: /* shared memory without a file has an inode number */
        if (!strcmp(object->path, "/dev/zero") || !*object->path)
            return g_strdup_printf("shared memory %" G_GUINT64_FORMAT, object->inode);
        if (g_str_has_prefix(object->path, "/SYSV"))
            return g_strdup_printf("shared memory %" G_GUINT64_FORMAT " %s", object->inode, object->path + 1);
        return g_strdup(object->path);
    default:
        return g_strdup(object->path);
    }
}

/* The number of the first thread of a task's process; if that isn't known, the task's own number. */
static uint32_t find_leader(const MemoryMap *map, uint32_t number)
{
    const MapTask *task = task_of(map, number), *other;

    if (!task || task->tid == task->pid)
        return number;
    for (guint i = 0; i < map->tasks->len; i++)
        if ((other = map->tasks->pdata[i]) && other->tid == task->pid && other->is_known &&
            other->memory == task->memory)
            return i;
    return number;
}

/* While a guest runs, the name may still change. */
static void name_object(const MemoryMap *map, MappedObject *object)
{
    const Memory *memory = map->memories->pdata[object->memory];
    const MapTask *owner = task_of(map, memory->owner);
    g_autofree char *name = NULL;

    object->owner = memory->owner;
    object->pid = owner ? owner->pid : 0;
    name = name_of(map, object);
    object->name = g_string_chunk_insert_const(map->texts, name);
}

static void name_objects(MemoryMap *map)
{
    for (guint i = 0; i < map->objects->len; i++) {
        MappedObject *object = &g_array_index(map->objects, MappedObject, i);

        name_object(map, object);
        if (object->region == OBJECT_STACK && !object->task)
            object->task = find_leader(map, object->owner);
    }
}

/* Sets `to` of each object to where its last stretch ends. */
static void find_ends(MemoryMap *map)
{
    for (guint i = 0; i < map->objects->len; i++)
        g_array_index(map->objects, MappedObject, i).to = 0;
    for (guint i = 0; i < map->memories->len; i++) {
        const Memory *memory = map->memories->pdata[i];

        for (guint k = 0; memory && k < memory->stretches->len; k++) {
            const Stretch *stretch = &g_array_index(memory->stretches, Stretch, k);
            MappedObject *object = &g_array_index(map->objects, MappedObject, stretch->object);

            object->to = MAX(object->to, stretch->to);
        }
    }
}

static MemoryMap *make_map(void)
{
    MemoryMap *map = g_new0(MemoryMap, 1);

    map->memories = g_ptr_array_new_with_free_func(free_memory);
    map->tasks = g_ptr_array_new_with_free_func(g_free);
    map->objects = g_array_new(FALSE, TRUE, sizeof(MappedObject));
    map->texts = g_string_chunk_new(4096);
    return map;
}

MemoryMap *memory_map_new_live(void)
{
    MemoryMap *map = make_map();

    map->is_live = true;
    return map;
}

void memory_map_add(MemoryMap *map, const TraceChange *change)
{
    memory_changes_add(map, change);
}

MemoryMap *memory_map_new(const TraceChanges *changes)
{
    MemoryMap *map = make_map();
    size_t room = 4 * (size_t)MEMORY_MAP_STRETCHES_MAX;

    map->task_memory = task_memory_new(changes);
    memory_changes_apply(map, changes);
    find_ends(map);
    name_objects(map);
    for (guint i = 0; i < map->memories->len; i++)
        if (map->memories->pdata[i])
            find_members(map->memories->pdata[i], &room);
    return map;
}

void memory_map_free(MemoryMap *map)
{
    if (!map)
        return;
    g_ptr_array_unref(map->memories);
    g_ptr_array_unref(map->tasks);
    g_clear_pointer(&map->task_memory, task_memory_free);
    g_array_unref(map->objects);
    g_string_chunk_free(map->texts);
    g_free(map);
}

/* Questions. */

uint32_t memory_map_memory_of(const MemoryMap *map, uint32_t number, uint64_t position, uint64_t *from, uint64_t *until)
{
    const MapTask *task = task_of(map, number);

    if (!map->is_live)
        return task_memory_at(map->task_memory, number, position, from, until);
    *from = position;
    *until = position + 1;
    return task ? task->memory : 0;
}

const Stretch *memory_map_own_stack(const MemoryMap *map, uint32_t number, uint32_t memory)
{
    const MapTask *task = task_of(map, number);

    return memory && task && task->stack_memory == memory ? &task->stack : NULL;
}

static const Memory *get_memory(const MemoryMap *map, uint32_t number)
{
    return number < map->memories->len ? map->memories->pdata[number] : NULL;
}

/* The stretch of a cell that is nearest in time. They are sorted by their beginnings, and don't overlap. */
static const Stretch *find_nearest(const Memory *memory, guint cell, uint64_t position)
{
    const guint *members = memory->members;
    guint first = memory->cells[cell], end = memory->cells[cell + 1], begin = first, last = end;
    const Stretch *before, *behind;

    while (first < end) { /* counts those that have begun */
        guint middle = first + (end - first) / 2;

        if (g_array_index(memory->stretches, Stretch, members[middle]).from <= position)
            first = middle + 1;
        else
            end = middle;
    }
    before = first > begin ? &g_array_index(memory->stretches, Stretch, members[first - 1]) : NULL;
    behind = first < last ? &g_array_index(memory->stretches, Stretch, members[first]) : NULL;
    if (!before || !behind || position < before->to)
        return before ? before : behind;
    return position - before->to < behind->from - position ? before : behind;
}

const Stretch *memory_map_find(const MemoryMap *map, uint32_t number, uint64_t position, uint64_t address)
{
    const Memory *memory = get_memory(map, number);
    gint64 cell;

    if (map->is_live)
        return memory ? memory_changes_find(memory, address) : NULL;
    cell = memory ? find_border(memory->borders, address) : -1;

    return cell < 0 ? NULL : find_nearest(memory, (guint)cell, position);
}

const Stretch *memory_map_now(const MemoryMap *map, uint32_t number, guint *count)
{
    const Memory *memory = get_memory(map, number);

    *count = memory ? memory->now->len : 0;
    return memory ? (const Stretch *)memory->now->data : NULL;
}

uint32_t memory_map_memories(const MemoryMap *map)
{
    return map->memories->len ? map->memories->len - 1 : 0;
}

const Stretch *memory_map_stretches(const MemoryMap *map, uint32_t number, guint *count)
{
    const Memory *memory = get_memory(map, number);

    *count = memory ? memory->stretches->len : 0;
    return memory ? (const Stretch *)memory->stretches->data : NULL;
}

uint32_t memory_map_objects(const MemoryMap *map)
{
    return map->objects->len;
}

const MappedObject *memory_map_object(const MemoryMap *map, uint32_t number)
{
    MappedObject *object = &g_array_index(map->objects, MappedObject, number);

    if (map->is_live)
        name_object(map, object);
    return object;
}
