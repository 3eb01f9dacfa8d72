/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slabs: see slabs.h.
 *
 * A cache's lists of its slabs can't be used, because SLUB keeps no list of full ones. A slab's first struct page is
 * recognised by a flag (kernels up to 6.10), or by its type (since 6.12).
 */
#include "slabs.h"

#include <glib.h>
#include <string.h>

#include "kernel.h"
#include "qemu_api.h"

#define CACHE_NAME_BYTES 64 /* of a name, with the 0 at its end */
#define OBJECT_BYTES_MAX (1u << 22)
#define ORDER_MAX 10
#define OBJECTS_MASK 0x7fff /* struct slab's `objects` has 15 bits */
#define TYPE_SHIFT 24
#define TYPE_FREE 0xffffff7fu /* up to 6.10, in page_type: the first page of a free block */
#define TAIL_PAGE 1u          /* in struct page's compound_head */
/* How many bytes of struct pages are read at once. Free blocks of memory, most of which have a thousand pages, are
 * skipped. Where there is no memory, there are no struct pages, in steps of 2 MiB of memory or more. */
#define PIECE_BYTES 4096u
#define HOLE_FRAMES ((UINT64_C(1) << 21) / FRAME_BYTES)

typedef struct {
    char name[CACHE_NAME_BYTES];
    uint64_t bytes;
    uint32_t number;
} Cache;

static GHashTable *caches; /* Cache by the address of its struct kmem_cache */
static GHashTable *slabs;  /* how many frames each slab has, by its first frame */
static uint32_t last_cache;
static struct {
    uint64_t first, frames; /* 0: none */
} last_slab;                /* the slab that was told last: its objects are being prepared one after the other */

/* Neighbouring slabs of the same cache and size. */
typedef struct {
    uint32_t cache;
    uint64_t first, frames, each;
} Run;

static void note_run(unsigned vcpu, const Run *run, MemoriesNote note)
{
    if (!run->frames)
        return;
    memories_note_values(vcpu, CHANGE_SLAB, (const uint64_t[]){ run->cache, run->first, run->frames, run->each }, 4,
                         note);
}

static bool read_cache(uint64_t address, Cache *cache)
{
    uint32_t bytes;
    uint64_t name = kernel_read_pointer(address, KERNEL_CACHE_NAME);
    size_t in_page = MIN(CACHE_NAME_BYTES, FRAME_BYTES - name % FRAME_BYTES);

    *cache = (Cache){ 0 };
    if (!name || !kernel_read_u32(address, KERNEL_CACHE_SIZE, &bytes) || !bytes || bytes > OBJECT_BYTES_MAX ||
        !kernel_read_memory(name, cache->name, in_page))
        return false;
    if (!memchr(cache->name, 0, in_page) && in_page < CACHE_NAME_BYTES)
        kernel_read_memory(name + in_page, cache->name + in_page, CACHE_NAME_BYTES - in_page);
    cache->name[CACHE_NAME_BYTES - 1] = 0;
    cache->bytes = bytes;
    return *cache->name;
}

/* The cache at an address, which is told if it is new, or another one than before. NULL if there is none. */
static const Cache *find_cache(unsigned vcpu, uint64_t address, MemoriesNote note)
{
    gpointer key = (gpointer)(uintptr_t)address;
    Cache *known = g_hash_table_lookup(caches, key), now;
    Change change;

    if (!read_cache(address, &now))
        return NULL;
    if (known && known->bytes == now.bytes && !strcmp(known->name, now.name))
        return known;
    now.number = ++last_cache;
    known = g_memdup2(&now, sizeof now);
    g_hash_table_insert(caches, key, known);
    change_begin(&change, CHANGE_SLAB_CACHE, 2);
    change.value[0] = now.number;
    change.value[1] = now.bytes;
    strcpy(change.text, now.name);
    change.text_bytes = (uint16_t)strlen(now.name);
    note(vcpu, &change);
    return known;
}

/* How many frames a slab has that has room for this many objects, but not for more: a power of two. 0 if there is no
 * such number. */
static uint64_t frames_for(unsigned objects, uint64_t object_bytes)
{
    for (unsigned order = 0; order <= ORDER_MAX; order++)
        if ((FRAME_BYTES << order) / object_bytes >= objects)
            return objects ? UINT64_C(1) << order : 0;
    return 0;
}

static unsigned read_objects(const uint8_t *page)
{
    uint16_t objects;

    memcpy(&objects, page + kernel_layout()->offset[KERNEL_SLAB_OBJECTS], sizeof objects);
    return objects & OBJECTS_MASK;
}

/* Looking at all struct pages. */

typedef struct {
    unsigned vcpu;
    MemoriesNote note;
    const Frames *frames;
    uint64_t next;         /* the first frame that has not been looked at */
    uint64_t last_address; /* of the last struct kmem_cache: many slabs in a row have the same one */
    const Cache *last;
    Run run;
} Walk;

static bool is_slab(const uint8_t *page)
{
    const KernelLayout *layout = kernel_layout();

    if (layout->offset[KERNEL_SLAB_TYPE] != KERNEL_UNKNOWN) {
        uint32_t type;

        memcpy(&type, page + layout->offset[KERNEL_PAGE_TYPE], sizeof type);
        return type >> TYPE_SHIFT == layout->offset[KERNEL_SLAB_TYPE];
    } else {
        uint64_t flags;

        memcpy(&flags, page + layout->offset[KERNEL_PAGE_FLAGS], sizeof flags);
        return flags >> layout->offset[KERNEL_SLAB_FLAG] & 1;
    }
}

static void add_slab(Walk *walk, uint64_t frame, const uint8_t *page)
{
    Run *run = &walk->run;
    uint64_t address, each;

    memcpy(&address, page + kernel_layout()->offset[KERNEL_SLAB_CACHE], sizeof address);
    if (address != walk->last_address || !walk->last)
        walk->last = find_cache(walk->vcpu, address, walk->note);
    walk->last_address = address;
    each = walk->last ? frames_for(read_objects(page), walk->last->bytes) : 0;
    if (!each)
        return;
    g_hash_table_insert(slabs, (gpointer)(uintptr_t)frame, GUINT_TO_POINTER((guint)each));
    walk->next = frame + each;
    if (run->cache == walk->last->number && run->each == each && run->first + run->frames == frame) {
        run->frames += each;
        return;
    }
    note_run(walk->vcpu, run, walk->note);
    *run = (Run){ walk->last->number, frame, each, each };
}

/* How many frames the free block has that begins with this frame; 0 if none does. (If another vCPU makes a slab of the
 * block meanwhile, the function that it executes for that tells the slab.) */
static uint64_t free_frames(uint64_t frame, const uint8_t *page)
{
    const KernelLayout *layout = kernel_layout();
    uint64_t order;
    uint32_t type;

    if (layout->offset[KERNEL_PAGE_TYPE] == KERNEL_UNKNOWN || layout->offset[KERNEL_PAGE_ORDER] == KERNEL_UNKNOWN)
        return 0;
    memcpy(&type, page + layout->offset[KERNEL_PAGE_TYPE], sizeof type);
    if (layout->offset[KERNEL_SLAB_TYPE] == KERNEL_UNKNOWN ? type != TYPE_FREE
                                                           : type >> TYPE_SHIFT != layout->offset[KERNEL_FREE_TYPE])
        return 0;
    memcpy(&order, page + layout->offset[KERNEL_PAGE_ORDER], sizeof order);
    return order <= ORDER_MAX && !(frame & ((UINT64_C(1) << order) - 1)) ? UINT64_C(1) << order : 0;
}

static void look_at_pages(Walk *walk, uint64_t first, const uint8_t *pages, uint64_t count)
{
    for (uint64_t frame = MAX(first, walk->next); frame < first + count; frame = MAX(frame + 1, walk->next)) {
        const uint8_t *page = pages + (frame - first) * walk->frames->page_bytes;

        if (is_slab(page))
            add_slab(walk, frame, page);
        else
            walk->next = frame + free_frames(frame, page);
    }
}

/* Looks at all struct pages. */
static void look_at_all(Walk *walk)
{
    g_autoptr(GByteArray) buffer = g_byte_array_new();
    uint64_t count = walk->frames->count, piece = MAX(PIECE_BYTES / walk->frames->page_bytes, 1);

    for (uint64_t frame = 0, end; frame < count; frame = MAX(end, walk->next)) {
        end = MIN((frame / piece + 1) * piece, count);
        if (qemu_plugin_read_memory_vaddr(frames_page(walk->frames, frame), buffer,
                                          (end - frame) * walk->frames->page_bytes))
            look_at_pages(walk, frame, buffer->data, end - frame);
        else
            end = (frame / HOLE_FRAMES + 1) * HOLE_FRAMES;
    }
}

/* Whether all members that are read lie within a struct page. */
static bool fits(const Frames *frames)
{
    static const KernelOffset members[] = { KERNEL_PAGE_FLAGS, KERNEL_PAGE_TYPE, KERNEL_PAGE_ORDER, KERNEL_SLAB_CACHE,
                                            KERNEL_SLAB_OBJECTS };
    const KernelLayout *layout = kernel_layout();

    for (unsigned i = 0; i < G_N_ELEMENTS(members); i++)
        if (layout->offset[members[i]] != KERNEL_UNKNOWN &&
            layout->offset[members[i]] + sizeof(uint64_t) > frames->page_bytes)
            return false;
    return layout->offset[KERNEL_SLAB_FLAG] < 64 || layout->offset[KERNEL_SLAB_FLAG] == KERNEL_UNKNOWN;
}

bool slabs_find_all(unsigned vcpu, const Frames *frames, MemoriesNote note)
{
    Walk walk = { .vcpu = vcpu, .note = note, .frames = frames };

    if (!caches) {
        caches = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
        slabs = g_hash_table_new(g_direct_hash, g_direct_equal);
    }
    g_hash_table_remove_all(caches);
    g_hash_table_remove_all(slabs);
    last_slab.frames = 0;
    if (!kernel_layout_tells_slabs(kernel_layout()) || !fits(frames))
        return false;
    look_at_all(&walk);
    note_run(vcpu, &walk.run, note);
    return true;
}

/* Slabs that the kernel's functions tell. */

void slabs_on_allocated(unsigned vcpu, const Frames *frames, uint64_t slab, MemoriesNote note)
{
    uint64_t frame = frames_of_page(frames, slab), each;
    const Cache *cache;
    uint16_t objects = 0;

    if (frame == FRAME_NONE || g_hash_table_contains(slabs, (gpointer)(uintptr_t)frame))
        return;
    cache = find_cache(vcpu, kernel_read_pointer(slab, KERNEL_SLAB_CACHE), note);
    kernel_read_bytes(slab, KERNEL_SLAB_OBJECTS, &objects, sizeof objects);
    each = cache ? frames_for(objects & OBJECTS_MASK, cache->bytes) : 0;
    if (!each)
        return;
    g_hash_table_insert(slabs, (gpointer)(uintptr_t)frame, GUINT_TO_POINTER((guint)each));
    last_slab.first = frame;
    last_slab.frames = each;
    note_run(vcpu, &(const Run){ cache->number, frame, each, each }, note);
}

void slabs_on_object(unsigned vcpu, const Frames *frames, uint64_t object, MemoriesNote note)
{
    uint64_t frame = frames_of_address(frames, object), page = frames_page(frames, frame), head;

    if (frame == FRAME_NONE || frame - last_slab.first < last_slab.frames ||
        !kernel_read_u64(page, KERNEL_PAGE_HEAD, &head))
        return;
    slabs_on_allocated(vcpu, frames, head & TAIL_PAGE ? head - TAIL_PAGE : page, note);
}

void slabs_on_freed(unsigned vcpu, const Frames *frames, uint64_t slab, MemoriesNote note)
{
    uint64_t frame = frames_of_page(frames, slab), each;

    if (frame == FRAME_NONE)
        return;
    each = GPOINTER_TO_UINT(g_hash_table_lookup(slabs, (gpointer)(uintptr_t)frame));
    g_hash_table_remove(slabs, (gpointer)(uintptr_t)frame);
    if (frame == last_slab.first)
        last_slab.frames = 0;
    note_run(vcpu, &(const Run){ 0, frame, each, each }, note);
}
