/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a kernel's address is of: a variable, a task's stack, an object of a slab cache, a device. */
#ifndef MEMORY_TRACER_CONTEXT_KERNEL_OBJECTS_H
#define MEMORY_TRACER_CONTEXT_KERNEL_OBJECTS_H

#include <glib.h>
#include <stdbool.h>

#include "../../include/memory_tracer/trace.h"
#include "../trace/changes.h"
#include "address_object.h"
#include "kernel_names.h"

typedef struct KernelObjects KernelObjects;

/* All that the changes of a trace tell of the kernel of an input (of a trace that wasn't merged: 0), which may be NULL.
 * They are not trusted; of what makes no sense, or isn't told, nothing is known. `names` must stay. */
KernelObjects *kernel_objects_new(const KernelNames *names, const TraceChanges *changes, uint32_t input);
/* Of a running guest: knows what is so now, whatever position is asked for. Changes are added as they take place. */
KernelObjects *kernel_objects_new_live(const KernelNames *names);
void kernel_objects_add(KernelObjects *objects, const TraceChange *change);
void kernel_objects_free(KernelObjects *objects);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KernelObjects, kernel_objects_free)

/*
 * What is at a kernel's address, for the record of the index `position` in the trace. `paddr` is its physical address,
 * with MT_PADDR_IO if that is a device's, or MT_PADDR_UNKNOWN. False for a user's address.
 *
 * An object that has no name of its own is named after its region ("direct-map"). One that isn't told, but may be in a
 * slab or a page table, is of OBJECT_UNKNOWN_KERNEL.
 *
 * In *extent, which region and name are the same: at most the address's page, and while that is used as it is now; of a
 * slab, other objects of its cache are in it, too. It may be NULL.
 */
bool kernel_objects_find(KernelObjects *objects, uint64_t position, uint64_t address, uint64_t paddr,
                         AddressObject *object, ObjectExtent *extent);

#endif
