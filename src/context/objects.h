/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a trace's variables lie, by its attachments `data/ID` and `kallsyms` (doc/trace_format.md). */
#ifndef MEMORY_TRACER_CONTEXT_OBJECTS_H
#define MEMORY_TRACER_CONTEXT_OBJECTS_H

#include <glib.h>

#include "../../include/memory_tracer/trace.h"

typedef struct ObjectRange {
    uint64_t begin, end; /* virtual addresses; the byte at `end` is not part of it */
} ObjectRange;

/* The ranges (ObjectRange) of all variables of this name (name_match.h), at each place where their file was loaded. The
 * caller unreferences the array. */
GArray *objects_find(mt_trace *trace, const char *name);

#endif
