/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the guest's kernel uses its memory for: see kernel_memory.h. */
#include "kernel_memory.h"

#include "kernel.h"
#include "kernel_areas.h"
#include "page_tables.h"
#include "slabs.h"

static Frames frames;
static bool has_looked, frames_are_known;
static bool tells_slabs, tells_tables, tells_vmalloc;

void kernel_memory_begin(void)
{
    has_looked = frames_are_known = tells_slabs = tells_tables = tells_vmalloc = false;
}

static void note_uses(unsigned vcpu, unsigned what, MemoriesNote note)
{
    uint64_t uses = (tells_slabs ? CHANGE_TELLS_SLABS : 0u) | (tells_tables ? CHANGE_TELLS_PAGE_TABLES : 0u) |
                    (tells_vmalloc ? CHANGE_TELLS_VMALLOC : 0u);

    memories_note_values(vcpu, CHANGE_USES, (const uint64_t[]){ what, uses }, 2, note);
}

bool kernel_memory_is_wanted(void)
{
    return (ring_fields(plugin.ring) & MT_FIELD_TASK) && !plugin.options.user_only;
}

void kernel_memory_look(unsigned vcpu, MemoriesNote note)
{
    if (has_looked || !kernel_memory_is_wanted())
        return;
    has_looked = true;
    frames_are_known = frames_find(&frames);
    if (!frames_are_known)
        return;
    note_uses(vcpu, 1, note);
    kernel_areas_find_fixed(vcpu, &frames, note);
    tells_vmalloc = kernel_areas_find_vmalloc(vcpu, note);
    tells_tables = page_tables_find_all(vcpu, &frames, note);
    tells_slabs = slabs_find_all(vcpu, &frames, note);
    note_uses(vcpu, 2, note);
}

bool kernel_memory_watches(unsigned function)
{
    return function >= KERNEL_SETUP_OBJECT && function < KERNEL_FUNCTIONS;
}

bool kernel_memory_watches_begin(unsigned function)
{
    return kernel_memory_watches(function) && function != KERNEL_ALLOCATE_SLAB && function != KERNEL_PGD_ALLOC &&
           function != KERNEL_VMALLOC;
}

bool kernel_memory_watches_end(unsigned function)
{
    switch (function) {
    case KERNEL_ALLOCATE_SLAB:
    case KERNEL_PTE_INSTALL:
    case KERNEL_PTE_ALLOC_KERNEL:
    case KERNEL_PMD_ALLOC:
    case KERNEL_PUD_ALLOC:
    case KERNEL_P4D_ALLOC:
    case KERNEL_PGD_ALLOC:
    case KERNEL_VMALLOC:
        return true;
    default:
        return false;
    }
}

/* The functions' arguments say which tables and slabs are freed, or made. */
void kernel_memory_on_function(unsigned vcpu, unsigned function, uint64_t *entry, MemoriesNote note)
{
    uint64_t first = 0, second = 0;

    if (!frames_are_known || !kernel_read_register(KERNEL_RDI, &first) || !kernel_read_register(KERNEL_RSI, &second))
        return;
    switch (function) {
    case KERNEL_SETUP_OBJECT: /* (cache, object) */
        if (tells_slabs)
            slabs_on_object(vcpu, &frames, second, note);
        break;
    case KERNEL_FREE_SLAB: /* (cache, slab) */
        if (tells_slabs)
            slabs_on_freed(vcpu, &frames, second, note);
        break;
    case KERNEL_PTE_ALLOC_KERNEL: /* (entry) */
        *entry = first;
        break;
    case KERNEL_PTE_INSTALL: /* (memory, entry, ...) */
    case KERNEL_PMD_ALLOC:
    case KERNEL_PUD_ALLOC:
    case KERNEL_P4D_ALLOC:
        *entry = second;
        break;
    case KERNEL_PTE_FREE: /* (..., struct page) */
        page_tables_on_end(vcpu, frames_of_page(&frames, second), note);
        break;
    case KERNEL_PMD_FREE: /* (..., table) */
    case KERNEL_PUD_FREE:
    case KERNEL_P4D_FREE:
    case KERNEL_PGD_FREE:
        page_tables_on_end(vcpu, frames_of_address(&frames, second), note);
        break;
    case KERNEL_VFREE: /* (address) */
        if (tells_vmalloc)
            kernel_areas_on_vfree(vcpu, first, note);
        break;
    default:
        break;
    }
}

/* At their end, the functions' results count, or the contents of the entry that was their argument. */
void kernel_memory_on_end(unsigned vcpu, unsigned function, uint64_t *entry, MemoriesNote note)
{
    uint64_t value;

    if (!frames_are_known || !kernel_read_register(KERNEL_RAX, &value))
        return;
    switch (function) {
    case KERNEL_ALLOCATE_SLAB:
        if (tells_slabs)
            slabs_on_allocated(vcpu, &frames, value, note);
        break;
    case KERNEL_PGD_ALLOC:
        if (tells_tables)
            page_tables_on_begin(vcpu, frames_of_address(&frames, value), note);
        break;
    case KERNEL_VMALLOC:
        if (tells_vmalloc)
            kernel_areas_on_vmalloc(vcpu, value, note);
        break;
    default:
        if (tells_tables && *entry)
            page_tables_on_entry(vcpu, &frames, *entry, note);
        *entry = 0;
        break;
    }
}

void kernel_memory_on_task(unsigned vcpu, uint32_t number, uint64_t task, MemoriesNote note)
{
    if (frames_are_known)
        kernel_areas_on_task(vcpu, number, task, note);
}
