/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How records are made compact (record.h), with the instructions that this processor has. All ways give the same words.
 */
#ifndef MEMORY_TRACER_RING_COMPACT_H
#define MEMORY_TRACER_RING_COMPACT_H

#include <stdbool.h>

#include "../../include/memory_tracer/record.h"

enum compact_way { COMPACT_SCALAR, COMPACT_SSE2, COMPACT_AVX2, COMPACT_WAYS };

/* Whether this processor can do it that way. */
bool compact_way_works(enum compact_way way);

/* As ring_make_compact(), which uses the fastest way that works. */
size_t compact_make(enum compact_way way, const struct gmbeoo_record *records, size_t count, uint64_t *words);

#endif
