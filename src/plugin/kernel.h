/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's kernel, as a vCPU that executes it can look into it: its memory, and the registers at a function's entry.
 *
 * Whatever is read is the guest's, which may have anything there: it is copied, and no loop follows its pointers for
 * ever.
 */
#ifndef MEMORY_TRACER_PLUGIN_KERNEL_H
#define MEMORY_TRACER_PLUGIN_KERNEL_H

#include <glib.h>
#include <stdbool.h>

#include "../record/kernel_layout.h"

/* Reads the layout that the runner has written. False, with an error, if it can't be read. */
bool kernel_load(const char *path, GError **error);
/* Whether it is known well enough to tell tasks. */
bool kernel_is_known(void);
const KernelLayout *kernel_layout(void);
/* To be called once, by a vCPU that is starting. */
void kernel_find_registers(void);

typedef enum {
    KERNEL_RDI,
    KERNEL_RSI,
    KERNEL_RAX,
    KERNEL_GS_BASE,
    KERNEL_CR3,
    KERNEL_REGISTERS,
} KernelRegister;

/* What is read from now on is how the guest's memory is now; what has been read before may be kept up to this call. */
void kernel_read_anew(void);
/* All that reads memory below is called between these two, so by one thread at a time. It begins anew. */
void kernel_read_begin(void);
void kernel_read_end(void);

/* In a callback that may read registers. */
bool kernel_read_register(KernelRegister number, uint64_t *value);

/* A member of the structure at `address`. False if it isn't known where it lies, or nothing is there. */
bool kernel_read_bytes(uint64_t address, KernelOffset offset, void *to, size_t bytes);
bool kernel_read_u32(uint64_t address, KernelOffset offset, uint32_t *value);
bool kernel_read_u64(uint64_t address, KernelOffset offset, uint64_t *value);
/* A pointer. 0 if it can't be read. */
uint64_t kernel_read_pointer(uint64_t address, KernelOffset offset);
/* Where a member is, for structures in structures; 0 if that isn't known. */
uint64_t kernel_member(uint64_t address, KernelOffset offset);

/* What is at an address; and the value of a variable of 8 bytes. */
bool kernel_read_memory(uint64_t address, void *to, size_t bytes);
bool kernel_read_variable(KernelVariable variable, uint64_t *value);

/* The path of the file (struct file) at `file`, as a process sees it whose root is that of the structure fs_struct at
 * `fs` (0: the whole system's). `path` has CHANGE_TEXT_BYTES. "" if it can't be told. */
void kernel_read_path(uint64_t file, uint64_t fs, char *path);
/* The path of a node (struct kernfs_node), likewise. */
void kernel_read_node_path(uint64_t node, char *path);

#endif
