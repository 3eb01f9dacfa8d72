/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's memory descriptors: see memories.h. */
#include "memories.h"

#include <glib.h>
#include <string.h>

#include "kernel.h"

/* vm_flags */
#define VM_READ 1u
#define VM_WRITE 2u
#define VM_EXEC 4u
#define VM_SHARED 8u
#define VM_GROWSDOWN 0x100u
#define PAGE_SHIFT 12
#define PAGE_BYTES 4096u
/* The names of files of System V shared memory begin so. */
#define SHARED_SEGMENT "/SYSV"

static GHashTable *numbers; /* by the descriptor's address */
static uint32_t last;

uint32_t memories_number(uint64_t mm, bool *is_new)
{
    uint32_t number;

    *is_new = false;
    if (!mm)
        return 0;
    if (!numbers)
        numbers = g_hash_table_new(g_direct_hash, g_direct_equal);
    number = GPOINTER_TO_UINT(g_hash_table_lookup(numbers, (gpointer)(uintptr_t)mm));
    if (!number) {
        *is_new = true;
        number = ++last;
        g_hash_table_insert(numbers, (gpointer)(uintptr_t)mm, GUINT_TO_POINTER(number));
    }
    return number;
}

void memories_renumber_all(void)
{
    g_clear_pointer(&numbers, g_hash_table_unref);
}

void memories_end(unsigned vcpu, uint64_t mm, MemoriesNote note)
{
    uint32_t number = numbers ? GPOINTER_TO_UINT(g_hash_table_lookup(numbers, (gpointer)(uintptr_t)mm)) : 0;

    if (!number)
        return;
    g_hash_table_remove(numbers, (gpointer)(uintptr_t)mm);
    memories_note_values(vcpu, CHANGE_GONE, (const uint64_t[]){ number }, 1, note);
}

static uint64_t flags_of(uint64_t flags)
{
    return (flags & VM_READ ? CHANGE_MAP_READ : 0) | (flags & VM_WRITE ? CHANGE_MAP_WRITE : 0) |
           (flags & VM_EXEC ? CHANGE_MAP_EXECUTE : 0) | (flags & VM_SHARED ? CHANGE_MAP_SHARED : 0) |
           (flags & VM_GROWSDOWN ? CHANGE_MAP_STACK : 0);
}

static uint64_t next_page(uint64_t address)
{
    return (address + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
}

/* The address where the heap begins in an area without a file; 0: it has no heap. Only brk(2) makes the heap grow. The
 * program's .bss before it may be in the same area. */
static uint64_t heap_in(uint64_t mm, uint64_t begin, uint64_t end)
{
    uint64_t heap = kernel_read_pointer(mm, KERNEL_MM_BRK_BEGIN), heap_end = kernel_read_pointer(mm, KERNEL_MM_BRK);

    heap_end = MAX(next_page(heap_end), next_page(heap) + 1); /* when the heap is made, mm->brk isn't set yet */
    if (!heap || begin >= heap_end || end <= heap)
        return 0;
    return MAX(begin, heap);
}

/* Reads the name ("[vdso]") of an area that the kernel has made for itself: it has operations, but no file. */
static void read_special_name(uint64_t vma, Change *change)
{
    char name[32] = "";
    uint64_t address;

    if (!kernel_read_pointer(vma, KERNEL_VMA_OPERATIONS))
        return;
    address = kernel_read_pointer(kernel_read_pointer(vma, KERNEL_VMA_PRIVATE), KERNEL_SPECIAL_MAPPING_NAME);
    if (!address || !kernel_read_memory(address, name, sizeof name - 1) || *name != '[')
        return;
    g_strlcpy(change->text, name, sizeof change->text);
}

static void read_file(uint64_t file, uint64_t vma, uint64_t fs, Change *change)
{
    uint64_t offset = 0, number = 0, inode = kernel_read_pointer(file, KERNEL_FILE_INODE);
    uint32_t device = 0;

    kernel_read_u64(vma, KERNEL_VMA_OFFSET, &offset);
    kernel_read_u64(inode, KERNEL_INODE_NUMBER, &number);
    kernel_read_u32(kernel_read_pointer(inode, KERNEL_INODE_SUPERBLOCK), KERNEL_SUPERBLOCK_DEVICE, &device);
    change->value[4] = offset << PAGE_SHIFT;
    change->value[5] = device;
    change->value[6] = number;
    kernel_read_path(file, fs, change->text);
}

static void note_area(unsigned vcpu, enum change_kind kind, uint64_t vma, uint64_t fs, MemoriesNote note)
{
    uint64_t begin, end, flags = 0, file = kernel_read_pointer(vma, KERNEL_VMA_FILE);
    uint64_t mm = kernel_read_pointer(vma, KERNEL_VMA_MM);
    Change change;
    bool is_new;

    if (!kernel_read_u64(vma, KERNEL_VMA_START, &begin) || !kernel_read_u64(vma, KERNEL_VMA_END, &end))
        return;
    kernel_read_u64(vma, KERNEL_VMA_FLAGS, &flags);
    change_begin(&change, kind, 8);
    change.value[0] = memories_number(mm, &is_new);
    change.value[1] = begin;
    change.value[2] = end;
    change.value[3] = flags_of(flags);
    if (file) {
        read_file(file, vma, fs, &change);
    } else {
        read_special_name(vma, &change);
        change.value[7] = *change.text ? 0 : heap_in(mm, begin, end);
    }
    change.text_bytes = (uint16_t)strlen(change.text);
    note(vcpu, &change);
}

void memories_map(unsigned vcpu, uint64_t vma, uint64_t fs, MemoriesNote note)
{
    note_area(vcpu, CHANGE_MAP, vma, fs, note);
}

void memories_shrink_heap(unsigned vcpu, uint64_t mm, uint64_t address, MemoriesNote note)
{
    uint64_t begin = kernel_read_pointer(mm, KERNEL_MM_BRK_BEGIN), end = kernel_read_pointer(mm, KERNEL_MM_BRK);
    bool is_new;

    if (begin && address >= begin && next_page(address) < next_page(end))
        memories_note_values(vcpu, CHANGE_UNMAP,
                             (const uint64_t[]){ memories_number(mm, &is_new), next_page(address), next_page(end) }, 3,
                             note);
}

/*
 * The areas of a memory are the leaves of a maple tree (include/linux/maple_tree.h, Linux 6.1 and newer): nodes of 256
 * bytes, whose kind is in the low bits of the pointer to them. A node has its parent, pivots (the last address of each
 * slot but the last) and slots. Slots behind the last one in use may have anything in them.
 */

#define TREE_NODE_BYTES 256
#define TREE_MAX_DEPTH 16
#define TREE_MAX_AREAS 65536 /* vm.max_map_count is 65530 */
#define TREE_LEAF 1          /* enum maple_type: maple_leaf_64, whose slots are areas */
#define TREE_RANGE 2         /* maple_range_64 */
#define TREE_GAPS 3          /* maple_arange_64 */

typedef struct Walk {
    unsigned vcpu, areas;
    uint64_t mm, fs;
    MemoriesNote note;
    void (*visit)(struct Walk *walk, uint64_t vma);
    uint64_t address, file; /* for detach_area() */
} Walk;

/* Whether an entry of the root points to a node. (In nodes, only leaves have other entries.) */
static bool is_node(uint64_t entry)
{
    return (entry & 3) == 2 && entry > 4096;
}

static void visit_area(Walk *walk, uint64_t vma)
{
    /* Another vCPU may be changing the memory. */
    if (vma < 4096 || (vma & 7) || kernel_read_pointer(vma, KERNEL_VMA_MM) != walk->mm ||
        walk->areas++ >= TREE_MAX_AREAS)
        return;
    walk->visit(walk, vma);
}

static void visit_node(Walk *walk, uint64_t entry, uint64_t last, unsigned depth)
{
    unsigned kind = entry >> 3 & 15, slots = kind == TREE_GAPS ? 10 : 16;
    const uint64_t *pivots, *slot;
    uint64_t words[TREE_NODE_BYTES / 8];

    if (depth == TREE_MAX_DEPTH || kind < TREE_LEAF || kind > TREE_GAPS || walk->areas >= TREE_MAX_AREAS ||
        !kernel_read_memory(entry & ~(uint64_t)(TREE_NODE_BYTES - 1), words, sizeof words))
        return;
    pivots = words + 1;
    slot = pivots + slots - 1;
    for (unsigned i = 0; i < slots; i++) {
        uint64_t pivot = i < slots - 1 ? pivots[i] : last;

        if ((i && !pivot) || pivot > last)
            pivot = last;
        if (slot[i] && kind == TREE_LEAF)
            visit_area(walk, slot[i]);
        else if (slot[i])
            visit_node(walk, slot[i], pivot, depth + 1);
        if (pivot == last)
            return;
    }
}

/* Visits the areas in the order of their addresses. */
static void walk_areas(Walk *walk)
{
    uint64_t root = kernel_read_pointer(kernel_member(walk->mm, KERNEL_MM_TREE), KERNEL_TREE_ROOT);

    if (is_node(root))
        visit_node(walk, root, UINT64_MAX, 0);
    else if (root)
        visit_area(walk, root);
}

static void tell_area(Walk *walk, uint64_t vma)
{
    note_area(walk->vcpu, CHANGE_WAS_MAPPED, vma, walk->fs, walk->note);
}

void memories_tell_mapped(unsigned vcpu, uint64_t mm, uint64_t fs, MemoriesNote note)
{
    Walk walk = { .vcpu = vcpu, .mm = mm, .fs = fs, .note = note, .visit = tell_area };

    walk_areas(&walk);
}

/* Unmaps an area of a segment as the kernel does: if it lies as far behind the address as behind the segment's
 * beginning. Each shmat() has a file of its own. */
static void detach_area(Walk *walk, uint64_t vma)
{
    uint64_t begin, end, offset, file = kernel_read_pointer(vma, KERNEL_VMA_FILE);
    char path[CHANGE_TEXT_BYTES];
    bool is_new;

    if (!file || (walk->file && file != walk->file) || !kernel_read_u64(vma, KERNEL_VMA_START, &begin) ||
        !kernel_read_u64(vma, KERNEL_VMA_END, &end) || !kernel_read_u64(vma, KERNEL_VMA_OFFSET, &offset) ||
        begin < walk->address || begin - walk->address != offset << PAGE_SHIFT)
        return;
    if (!walk->file) {
        kernel_read_path(file, walk->fs, path);
        if (!g_str_has_prefix(path, SHARED_SEGMENT))
            return;
        walk->file = file;
    }
    memories_note_values(walk->vcpu, CHANGE_UNMAP, (const uint64_t[]){ memories_number(walk->mm, &is_new), begin, end },
                         3, walk->note);
}

void memories_detach(unsigned vcpu, uint64_t mm, uint64_t address, uint64_t fs, MemoriesNote note)
{
    Walk walk = { .vcpu = vcpu, .mm = mm, .fs = fs, .note = note, .visit = detach_area, .address = address };

    walk_areas(&walk);
}
