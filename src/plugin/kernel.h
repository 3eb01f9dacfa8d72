/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's kernel, read by a vCPU while it executes the kernel: its memory, and the registers at a function's entry.
 *
 * The guest is not trusted: what is read is copied, and no loop follows its pointers for ever.
 */
#ifndef MEMORY_TRACER_PLUGIN_KERNEL_H
#define MEMORY_TRACER_PLUGIN_KERNEL_H

#include <glib.h>
#include <stdbool.h>

#include "../record/kernel_layout.h"

/* Reads the layout that the runner has written to `path`. False with an error if it can't be read. */
bool kernel_load(const char *path, GError **error);
/* Whether the layout is known well enough to tell tasks. */
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

/* Drops the cache of the guest's memory: the functions below may return what was read since the last call of this. */
void kernel_read_anew(void);
/* The functions below that read memory are called between these two, so by one thread at a time. The first one drops
 * the cache. */
void kernel_read_begin(void);
void kernel_read_end(void);

/* A register's value. To be called in a callback that may read registers. False if it can't be read. */
bool kernel_read_register(KernelRegister number, uint64_t *value);

/* Reads a member of the structure at `address`. False if its offset isn't known, or if it can't be read. */
bool kernel_read_bytes(uint64_t address, KernelOffset offset, void *to, size_t bytes);
bool kernel_read_u32(uint64_t address, KernelOffset offset, uint32_t *value);
bool kernel_read_u64(uint64_t address, KernelOffset offset, uint64_t *value);
/* The same for a member that is a pointer. 0 if it can't be read. */
uint64_t kernel_read_pointer(uint64_t address, KernelOffset offset);
/* The address of a member that is a structure itself; 0 if its offset isn't known. */
uint64_t kernel_member(uint64_t address, KernelOffset offset);

/* Reads from an address; and reads a variable of 8 bytes. False if it can't be read. */
bool kernel_read_memory(uint64_t address, void *to, size_t bytes);
bool kernel_read_variable(KernelVariable variable, uint64_t *value);

/* The path of the file (struct file) at `file`, from the root of the fs_struct at `fs` (0: the system's root). `path`
 * has CHANGE_TEXT_BYTES bytes, and becomes "" if the path can't be read. */
void kernel_read_path(uint64_t file, uint64_t fs, char *path);
/* The same for a node of kernfs (struct kernfs_node). */
void kernel_read_node_path(uint64_t node, char *path);

#endif
