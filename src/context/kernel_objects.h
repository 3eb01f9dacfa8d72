/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What lies at a kernel's address: a variable, a task's stack, an object of a slab cache, a device. */
#ifndef MEMORY_TRACER_CONTEXT_KERNEL_OBJECTS_H
#define MEMORY_TRACER_CONTEXT_KERNEL_OBJECTS_H

#include <glib.h>
#include <stdbool.h>

#include "../../include/memory_tracer/trace.h"
#include "../trace/changes.h"
#include "address_object.h"
#include "kernel_names.h"

typedef struct KernelObjects KernelObjects;

/* Reads what the changes of a trace (they may be NULL) tell of one input's kernel; a trace that wasn't merged has input
 * 0 only. The changes are not trusted: those that make no sense are left out. `names` must outlive the result, which is
 * freed by kernel_objects_free(). */
KernelObjects *kernel_objects_new(const KernelNames *names, const TraceChanges *changes, uint32_t input);
/* The same for a running guest: it knows the present only, and ignores positions. Changes are added as they take place.
 */
KernelObjects *kernel_objects_new_live(const KernelNames *names);
void kernel_objects_add(KernelObjects *objects, const TraceChange *change);
void kernel_objects_free(KernelObjects *objects);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KernelObjects, kernel_objects_free)

/*
 * What is at a kernel's address, for the record of the index `position` in the trace. `paddr` is its physical address,
 * with MT_PADDR_IO if that is a device's, or MT_PADDR_UNKNOWN. False for a user's address.
 *
 * An object without a name of its own is named after its region ("direct-map"). Memory that may be a slab's or a page
 * table's, but of which the trace doesn't tell that, is OBJECT_UNKNOWN_KERNEL.
 *
 * *extent, which may be NULL, tells where region and name are the same: within the address's page, and for as long as
 * the page's use doesn't change. In a slab it has the neighbouring objects of the same cache, too.
 */
bool kernel_objects_find(KernelObjects *objects, uint64_t position, uint64_t address, uint64_t paddr,
                         AddressObject *object, ObjectExtent *extent);

#endif
