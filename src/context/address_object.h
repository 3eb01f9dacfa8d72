/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a memory access goes to: a variable, a thread's stack, a mapped file, one of the kernel's slab objects. */
#ifndef MEMORY_TRACER_CONTEXT_ADDRESS_OBJECT_H
#define MEMORY_TRACER_CONTEXT_ADDRESS_OBJECT_H

#include <stdint.h>

/* The kinds of memory: those of user addresses first, then the kernel's. */
typedef enum ObjectRegion {
    OBJECT_VARIABLE, /* of a program or a library */
    OBJECT_TEXT,     /* a file that is mapped to be executed */
    OBJECT_STACK,    /* of a thread */
    OBJECT_HEAP,     /* what brk() makes */
    OBJECT_ANONYMOUS,
    OBJECT_FILE,   /* a file's private mapping, outside of any variable that is known */
    OBJECT_SHARED, /* between processes: shared memory, or a file that is mapped shared */
    OBJECT_VDSO,   /* code and data that the kernel maps into each process */
    OBJECT_UNKNOWN_USER,
    OBJECT_KERNEL_TEXT,
    OBJECT_KERNEL_DATA,
    OBJECT_PER_CPU,
    OBJECT_KERNEL_STACK,
    OBJECT_MODULE,
    OBJECT_VMALLOC,
    OBJECT_PAGE_TABLE,
    OBJECT_SLAB,
    OBJECT_DIRECT_MAP,
    OBJECT_VMEMMAP,
    OBJECT_DEVICE,
    OBJECT_UNKNOWN_KERNEL,
    OBJECT_REGIONS,
} ObjectRegion;

typedef struct AddressObject {
    ObjectRegion region;
    const char *name;    /* belongs to the finder that gave it (UserObjects, KernelObjects, AddressObjects) */
    uint64_t begin, end; /* virtual addresses of the whole object; in a slab, of the one object in the page */
    uint32_t task;       /* number of the task whose stack it is, else 0 */
} AddressObject;

/* For which addresses and positions (indexes of records in the trace) an answer holds: from `begin` and `from` on, up
 * to, not including, `end` and `to`. */
typedef struct ObjectExtent {
    uint64_t begin, end, from, to;
} ObjectExtent;

#endif
