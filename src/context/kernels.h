/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A trace's kernels: one, or in a merged trace one for each of its inputs. */
#ifndef MEMORY_TRACER_CONTEXT_KERNELS_H
#define MEMORY_TRACER_CONTEXT_KERNELS_H

#include "kernel_objects.h"

typedef struct Kernels Kernels;

/* The trace must outlive the result: each kernel is read when it is asked about first. */
Kernels *kernels_new(mt_trace *trace);
void kernels_free(Kernels *kernels);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Kernels, kernels_free)

/* kernel_objects_find() for the kernel of an input (batch->input). */
bool kernels_find(Kernels *kernels, uint32_t input, uint64_t position, uint64_t address, uint64_t paddr,
                  AddressObject *object, ObjectExtent *extent);

#endif
