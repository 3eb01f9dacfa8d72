/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is mapped in the guest's processes: the kernel's memory descriptors (mm_struct), and their changes. */
#ifndef MEMORY_TRACER_PLUGIN_MEMORIES_H
#define MEMORY_TRACER_PLUGIN_MEMORIES_H

#include <stdbool.h>
#include <stdint.h>

#include "../record/change.h"

/* Appends a change to the ring, between the records of a vCPU where it takes place. */
typedef void (*MemoriesNote)(unsigned vcpu, Change *change);

/* Appends a change that has these `count` values, and no text. */
static inline void memories_note_values(unsigned vcpu, enum change_kind kind, const uint64_t *values, unsigned count,
                                        MemoriesNote note)
{
    Change change;

    change_begin(&change, kind, count);
    memcpy(change.value, values, count * sizeof *values);
    note(vcpu, &change);
}

/* The number of the descriptor at `mm`; 0 for none. Sets *is_new to whether it was not known before. */
uint32_t memories_number(uint64_t mm, bool *is_new);
/* Gives all descriptors new numbers, because changes may have been missed. */
void memories_renumber_all(void);
/* A descriptor is freed: what is at this address later is another one. */
void memories_end(unsigned vcpu, uint64_t mm, MemoriesNote note);
/* Tells what is mapped in a memory that is older than the run. `fs`: see kernel_read_path(). */
void memories_tell_mapped(unsigned vcpu, uint64_t mm, uint64_t fs, MemoriesNote note);
/* The area (vm_area_struct) at `vma` was mapped, or has become larger. */
void memories_map(unsigned vcpu, uint64_t vma, uint64_t fs, MemoriesNote note);
/* brk(2) is called with this address: the heap behind it is unmapped. */
void memories_shrink_heap(unsigned vcpu, uint64_t mm, uint64_t address, MemoriesNote note);
/* shmdt(2) is called with this address: the shared memory that was attached there is unmapped. */
void memories_detach(unsigned vcpu, uint64_t mm, uint64_t address, uint64_t fs, MemoriesNote note);

#endif
