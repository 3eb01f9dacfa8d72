/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's page tables: see page_tables.h. */
#include "page_tables.h"

#include <glib.h>

#include "../record/x86.h"
#include "kernel.h"

#define PROCESSES_MAX 65536

static GHashTable *tables; /* the set of their frames */

typedef struct {
    const Frames *frames;
    GArray *found; /* uint64_t: frames */
} Walk;

/* The frame of the table that an entry points to; FRAME_NONE if it points to none. */
static uint64_t table_of(const Frames *frames, uint64_t entry)
{
    uint64_t frame = (entry & X86_ENTRY_FRAME) >> FRAME_SHIFT;

    return (entry & X86_ENTRY_PRESENT) && !(entry & X86_ENTRY_LEAF) && frame < frames->count ? frame : FRAME_NONE;
}

static bool add(Walk *walk, uint64_t frame)
{
    if (frame == FRAME_NONE || !g_hash_table_add(tables, (gpointer)(uintptr_t)frame))
        return false;
    g_array_append_val(walk->found, frame);
    return true;
}

/* Adds the tables that the table at an address points to, and those that these point to. Each is visited once. */
static void walk_table(Walk *walk, uint64_t address, unsigned level, unsigned first, unsigned end)
{
    uint64_t entries[X86_TABLE_ENTRIES];

    if (!kernel_read_memory(address, entries, sizeof entries))
        return;
    for (unsigned i = first; i < end; i++) {
        uint64_t frame = table_of(walk->frames, entries[i]);

        if (add(walk, frame) && level > 2)
            walk_table(walk, frames_address(walk->frames, frame), level - 1, 0, X86_TABLE_ENTRIES);
    }
}

/* Adds the tables of processes, whose roots the kernel has in a list. Their upper halves are the kernel's own. */
static void walk_processes(Walk *walk, unsigned levels)
{
    uint64_t head = kernel_layout()->variable[KERNEL_PGD_LIST], at;

    if (head == KERNEL_UNKNOWN || !kernel_read_variable(KERNEL_PGD_LIST, &at))
        return;
    for (unsigned i = 0; at != head && i < PROCESSES_MAX; i++) {
        uint64_t frame = frames_of_page(walk->frames, at - kernel_layout()->offset[KERNEL_PAGE_LRU]);

        if (add(walk, frame))
            walk_table(walk, frames_address(walk->frames, frame), levels, 0, X86_TABLE_ENTRIES / 2);
        if (!kernel_read_memory(at, &at, sizeof at))
            return;
    }
}

static gint compare_frames(gconstpointer a, gconstpointer b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void note_frames(unsigned vcpu, bool are_tables, uint64_t first, uint64_t frames, MemoriesNote note)
{
    memories_note_values(vcpu, CHANGE_PAGE_TABLE, (const uint64_t[]){ are_tables, first, frames }, 3, note);
}

static void note_all(unsigned vcpu, GArray *found, MemoriesNote note)
{
    g_array_sort(found, compare_frames);
    for (guint i = 0, next; i < found->len; i = next) {
        uint64_t first = g_array_index(found, uint64_t, i);

        for (next = i + 1; next < found->len && g_array_index(found, uint64_t, next) == first + (next - i); next++)
            ;
        note_frames(vcpu, true, first, next - i, note);
    }
}

bool page_tables_find_all(unsigned vcpu, const Frames *frames, MemoriesNote note)
{
    const KernelLayout *layout = kernel_layout();
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    Walk walk = { frames, found };
    unsigned levels = frames->direct_map < X86_LINUX_FIVE_LEVELS_BELOW ? 5 : 4;

    if (!tables)
        tables = g_hash_table_new(g_direct_hash, g_direct_equal);
    g_hash_table_remove_all(tables);
    if (layout->variable[KERNEL_PGD] == KERNEL_UNKNOWN || layout->variable[KERNEL_PGD_LIST] == KERNEL_UNKNOWN ||
        layout->offset[KERNEL_PAGE_LRU] == KERNEL_UNKNOWN ||
        layout->function[KERNEL_PTE_INSTALL].begin == KERNEL_UNKNOWN ||
        layout->function[KERNEL_PTE_FREE].begin == KERNEL_UNKNOWN)
        return false;
    walk_table(&walk, layout->variable[KERNEL_PGD], levels, X86_TABLE_ENTRIES / 2, X86_TABLE_ENTRIES);
    walk_processes(&walk, levels);
    note_all(vcpu, found, note);
    return true;
}

void page_tables_on_begin(unsigned vcpu, uint64_t frame, MemoriesNote note)
{
    if (frame != FRAME_NONE && g_hash_table_add(tables, (gpointer)(uintptr_t)frame))
        note_frames(vcpu, true, frame, 1, note);
}

void page_tables_on_entry(unsigned vcpu, const Frames *frames, uint64_t entry, MemoriesNote note)
{
    uint64_t value;

    if (kernel_read_memory(entry, &value, sizeof value))
        page_tables_on_begin(vcpu, table_of(frames, value), note);
}

void page_tables_on_end(unsigned vcpu, uint64_t frame, MemoriesNote note)
{
    if (frame != FRAME_NONE && g_hash_table_remove(tables, (gpointer)(uintptr_t)frame))
        note_frames(vcpu, false, frame, 1, note);
}
