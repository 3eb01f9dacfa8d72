/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The names that a trace has for its kernel's memory: symbols, modules and devices, from the attachments `kallsyms`,
 * `modules` and `iomem`. */
#ifndef MEMORY_TRACER_CONTEXT_KERNEL_NAMES_H
#define MEMORY_TRACER_CONTEXT_KERNEL_NAMES_H

#include <glib.h>
#include <stdbool.h>

#include "../../include/memory_tracer/trace.h"

typedef struct KernelNames KernelNames;

/* A name for the addresses from `begin` to `end` - 1. It belongs to the KernelNames. */
typedef struct KernelName {
    const char *name;
    uint64_t begin, end;
} KernelName;

/* `symbols`, `modules` and `devices` are names of attachments (kernel_sources.h); NULL: there is none of the kind. */
KernelNames *kernel_names_read(mt_trace *trace, const char *symbols, const char *modules, const char *devices);
/* The same from the attachments' contents, each of which may be NULL. */
KernelNames *kernel_names_new(const char *symbols, const char *modules, const char *devices);
void kernel_names_free(KernelNames *names);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KernelNames, kernel_names_free)

/* The kernel's own symbol at or below an address, which ends where the next one begins. */
bool kernel_names_symbol(const KernelNames *names, uint64_t address, KernelName *found);
/* The address of the kernel's own symbol of this name: UINT64_MAX if there is none. */
uint64_t kernel_names_address(const KernelNames *names, const char *name);
/* The module that has an address. A module that is known by its symbols only is found if they lie at `low` or above. */
bool kernel_names_module(const KernelNames *names, uint64_t address, uint64_t low, KernelName *found);
/* The device at a physical address; begin and end are physical, too. */
bool kernel_names_device(const KernelNames *names, uint64_t paddr, KernelName *found);

#endif
