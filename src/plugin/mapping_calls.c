/* SPDX-License-Identifier: GPL-2.0-or-later */
/* System calls that change mappings: see mapping_calls.h. */
#include "mapping_calls.h"

#include "kernel.h"

#define PAGE_BYTES 4096u
#define USER_END (UINT64_C(1) << 56) /* with five levels of page tables */
#define MREMAP_DONTUNMAP 4u

static uint64_t memory_of(uint64_t self)
{
    return kernel_read_pointer(self, KERNEL_TASK_MM);
}

static uint64_t whole_pages(uint64_t bytes)
{
    return (bytes + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
}

void mapping_calls_map(unsigned vcpu, uint64_t self, uint64_t vma, MemoriesNote note)
{
    memories_map(vcpu, vma, kernel_read_pointer(self, KERNEL_TASK_FS), note);
}

void mapping_calls_unmap(unsigned vcpu, uint64_t self, uint64_t registers, MemoriesNote note)
{
    uint64_t begin, bytes;
    bool is_new;

    if (!kernel_read_u64(registers, KERNEL_REGS_DI, &begin) || !kernel_read_u64(registers, KERNEL_REGS_SI, &bytes) ||
        begin % PAGE_BYTES || !bytes || begin + bytes < begin || begin + bytes > USER_END) /* the call will fail */
        return;
    memories_note_values(
        vcpu, CHANGE_UNMAP,
        (const uint64_t[]){ memories_number(memory_of(self), &is_new), begin, begin + whole_pages(bytes) }, 3, note);
}

void mapping_calls_detach(unsigned vcpu, uint64_t self, uint64_t registers, MemoriesNote note)
{
    uint64_t address;

    if (kernel_read_u64(registers, KERNEL_REGS_DI, &address))
        memories_detach(vcpu, memory_of(self), address, kernel_read_pointer(self, KERNEL_TASK_FS), note);
}

void mapping_calls_brk(unsigned vcpu, uint64_t self, uint64_t registers, MemoriesNote note)
{
    uint64_t address;

    if (kernel_read_u64(registers, KERNEL_REGS_DI, &address))
        memories_shrink_heap(vcpu, memory_of(self), address, note);
}

void mapping_calls_move(uint64_t registers, MappingMove *move)
{
    uint64_t bytes = 0, new_bytes = 0, flags = 0;

    kernel_read_u64(registers, KERNEL_REGS_DI, &move->begin);
    kernel_read_u64(registers, KERNEL_REGS_SI, &bytes);
    kernel_read_u64(registers, KERNEL_REGS_DX, &new_bytes);
    kernel_read_u64(registers, KERNEL_REGS_R10, &flags);
    move->new_bytes = whole_pages(new_bytes);
    move->end = move->begin + whole_pages(bytes ? bytes : new_bytes); /* 0 bytes: maps the same memory once more */
    move->stays = !bytes || (flags & MREMAP_DONTUNMAP);
}

void mapping_calls_moved(unsigned vcpu, uint64_t self, MappingMove *move, MemoriesNote note)
{
    uint64_t begin;
    bool is_new;

    if (move->new_bytes && kernel_read_register(KERNEL_RAX, &begin) && begin < UINT64_MAX - 4095) /* an error */
        memories_note_values(vcpu, CHANGE_MOVE,
                             (const uint64_t[]){ memories_number(memory_of(self), &is_new), move->begin, move->end,
                                                 begin, begin + move->new_bytes, move->stays },
                             6, note);
    move->new_bytes = 0;
}
