/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which attachments tell of a kernel: its symbols, modules and devices. A trace that was merged from others has several
 * kernels, one for each of its inputs: the attachment `kernels` says which attachments each of them has
 * (doc/trace_format.md). */
#ifndef MEMORY_TRACER_CONTEXT_KERNEL_SOURCES_H
#define MEMORY_TRACER_CONTEXT_KERNEL_SOURCES_H

#include <glib.h>
#include <stdbool.h>

#include "../../include/memory_tracer/trace.h"

#define KERNEL_SOURCES "kernels"

typedef enum KernelSourceKind { KERNEL_SYMBOLS, KERNEL_MODULES, KERNEL_DEVICES, KERNEL_SOURCE_KINDS } KernelSourceKind;

typedef struct KernelSources KernelSources;

KernelSources *kernel_sources_new(void);
/* What a trace tells. Where it makes no sense, it tells nothing. */
KernelSources *kernel_sources_read(mt_trace *trace);
void kernel_sources_free(KernelSources *sources);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KernelSources, kernel_sources_free)

/* An input's attachment of this kind, which belongs to `sources`; NULL if none is told. It may be missing from the
 * trace. */
const char *kernel_sources_find(const KernelSources *sources, uint32_t input, KernelSourceKind kind);
/* Whether an attachment of this name is one of a kernel's. */
bool kernel_sources_has_name(const char *attachment);

/* For a new trace. */
void kernel_sources_add(KernelSources *sources, uint32_t input, KernelSourceKind kind, const char *attachment);
/* The attachment's contents, to be freed; NULL if only input 0 has anything, which needs no attachment. */
char *kernel_sources_text(const KernelSources *sources);

#endif
