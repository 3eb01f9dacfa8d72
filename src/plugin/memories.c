/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's memory descriptors: see memories.h. */
#include "memories.h"

#include <string.h>

#include "kernel.h"

/* vm_flags */
#define VM_READ 1u
#define VM_WRITE 2u
#define VM_EXEC 4u
#define VM_SHARED 8u
#define PAGE_SHIFT 12

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

void memories_note_range(unsigned vcpu, enum change_kind kind, uint32_t memory, const uint64_t *values, unsigned count,
                         MemoriesNote note)
{
    Change change = { .kind = (uint16_t)kind, .values = (uint16_t)(count + 1), .value = { memory } };

    if (count)
        memcpy(&change.value[1], values, count * sizeof *values);
    note(vcpu, &change);
}

void memories_end(unsigned vcpu, uint64_t mm, MemoriesNote note)
{
    uint32_t number = numbers ? GPOINTER_TO_UINT(g_hash_table_lookup(numbers, (gpointer)(uintptr_t)mm)) : 0;

    if (!number)
        return;
    g_hash_table_remove(numbers, (gpointer)(uintptr_t)mm);
    memories_note_range(vcpu, CHANGE_GONE, number, NULL, 0, note);
}

static uint64_t flags_of(uint64_t flags)
{
    return (flags & VM_READ ? CHANGE_MAP_READ : 0) | (flags & VM_WRITE ? CHANGE_MAP_WRITE : 0) |
           (flags & VM_EXEC ? CHANGE_MAP_EXECUTE : 0) | (flags & VM_SHARED ? CHANGE_MAP_SHARED : 0);
}

void memories_map(unsigned vcpu, uint64_t vma, uint64_t fs, MemoriesNote note)
{
    uint64_t begin, end, flags = 0, offset = 0, file = kernel_read_pointer(vma, KERNEL_VMA_FILE);
    uint64_t inode = kernel_read_pointer(file, KERNEL_FILE_INODE), number = 0;
    uint32_t device = 0;
    Change change = { .kind = CHANGE_MAP, .values = 7 };
    bool is_new;

    if (!kernel_read_u64(vma, KERNEL_VMA_START, &begin) || !kernel_read_u64(vma, KERNEL_VMA_END, &end))
        return;
    kernel_read_u64(vma, KERNEL_VMA_FLAGS, &flags);
    change.value[0] = memories_number(kernel_read_pointer(vma, KERNEL_VMA_MM), &is_new);
    change.value[1] = begin;
    change.value[2] = end;
    change.value[3] = flags_of(flags);
    if (file) {
        kernel_read_u64(vma, KERNEL_VMA_OFFSET, &offset);
        kernel_read_u64(inode, KERNEL_INODE_NUMBER, &number);
        kernel_read_u32(kernel_read_pointer(inode, KERNEL_INODE_SUPERBLOCK), KERNEL_SUPERBLOCK_DEVICE, &device);
        change.value[4] = offset << PAGE_SHIFT;
        change.value[5] = device;
        change.value[6] = number;
        kernel_read_path(file, fs, change.text);
        change.text_bytes = (uint16_t)strlen(change.text);
    }
    note(vcpu, &change);
}
