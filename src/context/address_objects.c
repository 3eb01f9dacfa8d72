/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What accesses go to: see address_objects.h.
 *
 * An answer holds for a range of addresses and of positions (indexes of records). Each vCPU keeps its last answers in
 * two small tables: answers for whole pages, by page, and the others by 64-byte line. So most accesses cost a
 * comparison or two.
 */
#include "address_objects.h"

#include <string.h>

#include "../base/printable.h"
#include "../record/x86.h"
#include "../trace/events.h"
#include "demangle.h"
#include "kernels.h"

#define PAGE_SHIFT 12
#define LINE_SHIFT 6
#define CACHE_BITS 9
#define CACHE_ENTRIES (1u << CACHE_BITS)
#define NAMES_BITS 8

/* Something with a number. */
typedef struct {
    ObjectRegion region;
    char *name, *linker_name;
} Named;

typedef struct {
    uint64_t begin, bytes;  /* addresses */
    uint64_t from, records; /* positions */
    uint32_t space, number; /* space_of(); number 0: the entry is empty */
} Answer;

typedef struct {
    Answer pages[CACHE_ENTRIES], lines[CACHE_ENTRIES];
    /* The task that was asked about last, its memory, and for which positions it has it. */
    uint32_t task, memory;
    uint64_t from, to;
    Answer stack; /* that task's own stack */
} Cache;

/* The number of this region and name. Names are told apart by their addresses, which never change. */
typedef struct {
    const char *name; /* NULL: the entry is empty */
    ObjectRegion region;
    uint32_t number;
} Numbered;

struct AddressObjects {
    UserObjects *user;               /* of a running guest: belongs to `live` */
    Kernels *kernels;                /* NULL for a running guest */
    LiveMemory *live;                /* NULL for a trace */
    GPtrArray *caches;               /* Cache for each vCPU, or NULL */
    GArray *named;                   /* Named, by number; number 0 stands for no object */
    GHashTable *numbers;             /* by "REGION NAME" */
    Numbered late[1u << NAMES_BITS]; /* the last ones, by the name's address; unused for a running guest */
    GString *key;
};

static void clear_named(void *data)
{
    Named *named = data;

    g_free(named->name);
    g_free(named->linker_name);
}

static AddressObjects *make_objects(void)
{
    AddressObjects *objects = g_new0(AddressObjects, 1);
    const Named nothing = { OBJECT_UNKNOWN_USER, g_strdup("unknown"), NULL };

    objects->caches = g_ptr_array_new_with_free_func(g_free);
    objects->named = g_array_new(FALSE, FALSE, sizeof(Named));
    g_array_set_clear_func(objects->named, clear_named);
    g_array_append_val(objects->named, nothing);
    objects->numbers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    objects->key = g_string_new(NULL);
    return objects;
}

AddressObjects *address_objects_new_live(LiveMemory *memory)
{
    AddressObjects *objects = make_objects();

    objects->live = memory;
    objects->user = memory->user;
    return objects;
}

AddressObjects *address_objects_new(mt_trace *trace)
{
    AddressObjects *objects = make_objects();

    objects->user = user_objects_read(trace);
    objects->kernels = kernels_new(trace);
    return objects;
}

void address_objects_free(AddressObjects *objects)
{
    if (!objects)
        return;
    if (!objects->live)
        user_objects_free(objects->user);
    kernels_free(objects->kernels);
    g_ptr_array_unref(objects->caches);
    g_array_unref(objects->named);
    g_hash_table_unref(objects->numbers);
    g_string_free(objects->key, TRUE);
    g_free(objects);
}

/* Numbers. */

static uint32_t add_named(AddressObjects *objects, const AddressObject *object)
{
    g_autofree char *programmers = object->region == OBJECT_VARIABLE ? demangle(object->name, true) : NULL;
    Named named = { .region = object->region,
                    .name = text_make_printable(programmers ? programmers : object->name),
                    .linker_name = g_strdup(object->name) };

    g_array_append_val(objects->named, named);
    g_hash_table_insert(objects->numbers, g_strdup(objects->key->str), GUINT_TO_POINTER(objects->named->len - 1));
    return objects->named->len - 1;
}

static uint32_t find_number(AddressObjects *objects, const AddressObject *object)
{
    uint32_t number;

    g_string_printf(objects->key, "%u %s", object->region, object->name);
    number = GPOINTER_TO_UINT(g_hash_table_lookup(objects->numbers, objects->key->str));
    return number ? number : add_named(objects, object);
}

static uint32_t number_of(AddressObjects *objects, const AddressObject *object)
{
    uint64_t hash = ((uintptr_t)object->name + object->region) * UINT64_C(0x9e3779b97f4a7c15);
    Numbered *late = &objects->late[hash >> (64 - NAMES_BITS)];

    if (objects->live)
        return find_number(objects, object);
    if (late->name != object->name || late->region != object->region)
        *late = (Numbered){ object->name, object->region, find_number(objects, object) };
    return late->number;
}

uint32_t address_objects_count(const AddressObjects *objects)
{
    return objects->named->len - 1;
}

ObjectRegion address_objects_region(const AddressObjects *objects, uint32_t number)
{
    return g_array_index(objects->named, Named, number).region;
}

const char *address_objects_name(const AddressObjects *objects, uint32_t number)
{
    return g_array_index(objects->named, Named, number).name;
}

const char *address_objects_linker_name(const AddressObjects *objects, uint32_t number)
{
    return g_array_index(objects->named, Named, number).linker_name;
}

/* Answers. */

static bool is_always_there(ObjectRegion region)
{
    return region == OBJECT_KERNEL_TEXT || region == OBJECT_KERNEL_DATA || region == OBJECT_PER_CPU ||
           region == OBJECT_VMEMMAP;
}

static void find_in_live_kernel(const AddressObjects *objects, uint64_t position, uint64_t address, uint64_t paddr,
                                AddressObject *object, ObjectExtent *extent)
{
    kernel_objects_find(objects->live->kernel, position, address, paddr, object, extent);
    if (is_always_there(object->region))
        return;
    extent->from = position; /* another change will be another position */
    extent->to = position + 1;
}

/* What an address belongs to: a user's to its memory, a kernel's to the input, as it is the same in all memories. */
static inline uint32_t space_of(uint64_t address, uint32_t memory, uint32_t input)
{
    return x86_is_kernel_address(address) ? input : memory;
}

static void find(AddressObjects *objects, uint32_t space, uint64_t position, uint64_t address, uint64_t paddr,
                 AddressObject *object, ObjectExtent *extent)
{
    if (x86_is_kernel_address(address) && objects->live)
        find_in_live_kernel(objects, position, address, paddr, object, extent);
    else if (x86_is_kernel_address(address))
        kernels_find(objects->kernels, space, position, address, paddr, object, extent);
    else
        user_objects_find(objects->user, position, space, address, object, extent);
}

static bool holds(const Answer *answer, uint64_t position, uint32_t space, uint64_t address)
{
    return address - answer->begin < answer->bytes && position - answer->from < answer->records &&
           answer->space == space;
}

static void keep(Answer *answer, const ObjectExtent *extent, uint64_t begin, uint64_t end, uint32_t space,
                 uint32_t number)
{
    begin = MAX(begin, extent->begin);
    end = MIN(end, extent->end);
    *answer = (Answer){ begin, end - begin, extent->from, extent->to - extent->from, space, number };
}

static uint32_t ask(AddressObjects *objects, Cache *cache, uint64_t position, uint32_t space, uint64_t address,
                    uint64_t paddr)
{
    AddressObject object;
    ObjectExtent extent;
    uint64_t page = address >> PAGE_SHIFT << PAGE_SHIFT, line = address >> LINE_SHIFT << LINE_SHIFT;
    uint32_t number;

    find(objects, space, position, address, paddr, &object, &extent);
    number = number_of(objects, &object);
    if (extent.begin <= page && extent.end - page >= UINT64_C(1) << PAGE_SHIFT)
        keep(&cache->pages[page >> PAGE_SHIFT & (CACHE_ENTRIES - 1)], &extent, page, page + (UINT64_C(1) << PAGE_SHIFT),
             space, number);
    else
        keep(&cache->lines[line >> LINE_SHIFT & (CACHE_ENTRIES - 1)], &extent, 0, UINT64_MAX, space, number);
    return number;
}

/* The position to ask about for a batch's record. */
static inline uint64_t position_of(const AddressObjects *objects, const struct mt_batch *batch, size_t i,
                                   bool is_kernel)
{
    if (G_UNLIKELY(objects->live))
        return is_kernel ? objects->live->kernel_changes : objects->live->user_changes;
    return events_index(batch, i);
}

static Cache *cache_of(AddressObjects *objects, unsigned vcpu)
{
    if (vcpu >= objects->caches->len)
        g_ptr_array_set_size(objects->caches, (gint)vcpu + 1);
    if (!objects->caches->pdata[vcpu])
        objects->caches->pdata[vcpu] = g_new0(Cache, 1);
    return objects->caches->pdata[vcpu];
}

static uint32_t memory_of(AddressObjects *objects, Cache *cache, uint32_t task, uint64_t position)
{
    AddressObject stack;

    if (task != cache->task || position < cache->from || position >= cache->to) {
        cache->task = task;
        cache->memory = memory_map_memory_of(user_objects_map(objects->user), task, position, &cache->from, &cache->to);
        cache->stack.bytes = 0;
        if (user_objects_own_stack(objects->user, task, cache->memory, &stack))
            cache->stack = (Answer){ .begin = stack.begin,
                                     .bytes = stack.end - stack.begin,
                                     .number = number_of(objects, &stack) };
    }
    return cache->memory;
}

static inline uint32_t number_one(AddressObjects *objects, Cache *cache, const struct mt_batch *batch, uint32_t task,
                                  size_t i)
{
    uint64_t address = batch->address[i], position = position_of(objects, batch, i, x86_is_kernel_address(address));
    uint32_t memory = memory_of(objects, cache, task, position_of(objects, batch, i, false));
    uint32_t space = space_of(address, memory, batch->input);
    const Answer *answer = &cache->pages[address >> PAGE_SHIFT & (CACHE_ENTRIES - 1)];

    if (address - cache->stack.begin < cache->stack.bytes)
        return cache->stack.number;
    if (!holds(answer, position, space, address))
        answer = &cache->lines[address >> LINE_SHIFT & (CACHE_ENTRIES - 1)];
    return holds(answer, position, space, address)
               ? answer->number
               : ask(objects, cache, position, space, address, batch->paddr ? batch->paddr[i] : MT_PADDR_UNKNOWN);
}

void address_objects_number(AddressObjects *objects, const struct mt_batch *batch, uint32_t *numbers)
{
    Cache *cache = cache_of(objects, batch->vcpu);
    EventRun run = { 0 };

    while (events_next_run(&batch->task, batch->count, &run))
        for (size_t i = run.begin; i < run.end; i++)
            numbers[i] = number_one(objects, cache, batch, run.number >> TASK_CONTEXT_BITS, i);
}

uint32_t address_objects_number_at(AddressObjects *objects, const struct mt_batch *batch, size_t i)
{
    return number_one(objects, cache_of(objects, batch->vcpu), batch,
                      events_before(&batch->task, i) >> TASK_CONTEXT_BITS, i);
}

void address_objects_find(AddressObjects *objects, const struct mt_batch *batch, size_t i, AddressObject *object)
{
    uint64_t position = position_of(objects, batch, i, x86_is_kernel_address(batch->address[i])), from, to;
    uint32_t task = events_before(&batch->task, i) >> TASK_CONTEXT_BITS;
    uint32_t memory = memory_map_memory_of(user_objects_map(objects->user), task, position, &from, &to);
    ObjectExtent extent;

    if (!user_objects_own_stack(objects->user, task, memory, object) ||
        batch->address[i] - object->begin >= object->end - object->begin)
        find(objects, space_of(batch->address[i], memory, batch->input), position, batch->address[i],
             batch->paddr ? batch->paddr[i] : MT_PADDR_UNKNOWN, object, &extent);
    object->name = address_objects_name(objects, number_of(objects, object));
}
