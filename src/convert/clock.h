/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When each access took place, as well as a trace file can tell: it has one time for each chunk of records. */
#ifndef MEMORY_TRACER_CONVERT_CLOCK_H
#define MEMORY_TRACER_CONVERT_CLOCK_H

#include <glib.h>
#include <json-glib/json-glib.h>

#include "../../include/memory_tracer/trace.h"

typedef struct ConvertClock ConvertClock;

/* For a trace with MT_FIELD_TIME, of which records from `first_index` on will be asked for. The trace must stay. */
ConvertClock *convert_clock_new(mt_trace *trace, JsonObject *metadata, uint64_t first_index);
void convert_clock_free(ConvertClock *clock);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ConvertClock, convert_clock_free)

/* The time of a record in ps since tracing began. Of each vCPU, indexes must be asked for in rising order. The times of
 * a vCPU never go back; those of several may. */
uint64_t convert_clock_ps(ConvertClock *clock, unsigned vcpu, uint64_t index);

#endif
