/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The system calls that change what is mapped in a process. `self` is the address of the task_struct that calls,
 * `registers` that of its saved registers (pt_regs), which are the call's arguments.
 */
#ifndef MEMORY_TRACER_PLUGIN_MAPPING_CALLS_H
#define MEMORY_TRACER_PLUGIN_MAPPING_CALLS_H

#include "memories.h"

/* The arguments of mremap(2), from its call to its end. */
typedef struct MappingMove {
    uint64_t begin, end, new_bytes; /* new_bytes: 0 if no such call is under way */
    bool stays;                     /* the old mapping stays, too */
} MappingMove;

/* The area (vm_area_struct) at `vma` is mapped. */
void mapping_calls_map(unsigned vcpu, uint64_t self, uint64_t vma, MemoriesNote note);
void mapping_calls_unmap(unsigned vcpu, uint64_t self, uint64_t registers, MemoriesNote note);
void mapping_calls_detach(unsigned vcpu, uint64_t self, uint64_t registers, MemoriesNote note);
void mapping_calls_brk(unsigned vcpu, uint64_t self, uint64_t registers, MemoriesNote note);
void mapping_calls_move(uint64_t registers, MappingMove *move);
/* mremap(2) returns, with its result in rax. */
void mapping_calls_moved(unsigned vcpu, uint64_t self, MappingMove *move, MemoriesNote note);

#endif
