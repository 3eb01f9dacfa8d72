/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Analyses of a run while it goes on: they take its records out of the ring. */
#ifndef MEMORY_TRACER_RUN_LIVE_H
#define MEMORY_TRACER_RUN_LIVE_H

#include "../analysis/analysis.h"
#include "../ring/ring.h"

typedef struct LiveAnalyses LiveAnalyses;

/* Of these requests (AnalysisRequest), which must stay, as must the ring. NULL on failure. */
LiveAnalyses *live_analyses_new(const GPtrArray *requests, Ring *ring, GError **error);
void live_analyses_free(LiveAnalyses *live);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LiveAnalyses, live_analyses_free)

/* What a ring must have for them: of enum mt_fields. */
unsigned live_analyses_fields(const GPtrArray *requests);

/* A RingSink of LiveAnalyses. Wants no more when an analysis fails. */
bool live_analyses_take(void *data, const struct gmbeoo_record *records, size_t count);
/* Why one has failed, or NULL. */
const GError *live_analyses_error(const LiveAnalyses *live);
/* When no more is taken: files that analyses write are written. */
bool live_analyses_finish(LiveAnalyses *live, GError **error);
/* Adds the results, as pump_describe() does. When no more is taken. */
void live_analyses_describe(LiveAnalyses *live, Report *report, bool named);

#endif
