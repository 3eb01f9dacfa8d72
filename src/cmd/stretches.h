/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Short stretches of a trace file (ANALYSIS_IN_TURN): threads read them at the same time, and what an analysis has come
 * to in each of them is put together in the order of the trace, by whichever thread has time. */
#ifndef MEMORY_TRACER_CMD_STRETCHES_H
#define MEMORY_TRACER_CMD_STRETCHES_H

#include "../analysis/pump.h"
#include "../source/selection.h"

typedef struct Stretches Stretches;

typedef struct TraceStretch {
    uint64_t number; /* from 0 on */
    Range events;
} TraceStretch;

/* Why this way isn't quick for the records `events` of a trace file, for a sentence with "because"; NULL: it is.
 * `step`: see AnalysisDivision. */
const char *stretches_why_not(const mt_trace *trace, uint64_t step, Range events);
/* Those of these records, for this many threads. */
Stretches *stretches_new(const mt_trace *trace, uint64_t step, Range events, unsigned threads);
void stretches_free(Stretches *stretches);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Stretches, stretches_free)

/* The functions below may be called by several threads at once. */

/* The next stretch that nobody has. Waits while there are many that can't be put together yet. There is at least one
 * stretch, which may be empty. False if there is no other, or one has failed. */
bool stretches_begin(Stretches *stretches, TraceStretch *stretch);
/* Hands in what the analysis has come to in this stretch, and puts together what can be. `pump` belongs to `stretches`
 * then. NULL: the stretch has failed, with this error, which does, too. */
void stretches_end(Stretches *stretches, const TraceStretch *stretch, Pump *pump, GError *error);
/* No more stretches need be begun. */
void stretches_stop(Stretches *stretches);

/* When all threads are done: what the analysis has come to, to be freed by pump_free(). NULL with the error of the
 * first stretch that has failed. */
Pump *stretches_result(Stretches *stretches, GError **error);

#endif
