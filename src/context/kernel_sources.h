/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which attachments have a kernel's symbols, modules and devices. A merged trace has a kernel for each of its inputs:
 * the attachment `kernels` says which attachments each of them has (doc/trace_format.md). */
#ifndef MEMORY_TRACER_CONTEXT_KERNEL_SOURCES_H
#define MEMORY_TRACER_CONTEXT_KERNEL_SOURCES_H

#include <glib.h>
#include <stdbool.h>

#include "../../include/memory_tracer/trace.h"

#define KERNEL_SOURCES "kernels"

typedef enum KernelSourceKind { KERNEL_SYMBOLS, KERNEL_MODULES, KERNEL_DEVICES, KERNEL_SOURCE_KINDS } KernelSourceKind;

typedef struct KernelSources KernelSources;

KernelSources *kernel_sources_new(void);
/* Reads what a trace tells. Lines that make no sense are left out. */
KernelSources *kernel_sources_read(mt_trace *trace);
void kernel_sources_free(KernelSources *sources);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KernelSources, kernel_sources_free)

/* The name of an input's attachment of this kind; it belongs to `sources`. NULL if the trace names none. The trace may
 * lack an attachment of this name. */
const char *kernel_sources_find(const KernelSources *sources, uint32_t input, KernelSourceKind kind);
/* Whether an attachment of this name is one of a kernel's. */
bool kernel_sources_has_name(const char *attachment);

/* Says which attachment a new trace has for an input. */
void kernel_sources_add(KernelSources *sources, uint32_t input, KernelSourceKind kind, const char *attachment);
/* The contents of the attachment `kernels`, which the caller frees; NULL if only input 0 has attachments, as `kernels`
 * isn't needed then. */
char *kernel_sources_text(const KernelSources *sources);

#endif
