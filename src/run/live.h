/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Analyses of a run while it goes on: they take its records out of the ring. */
#ifndef MEMORY_TRACER_RUN_LIVE_H
#define MEMORY_TRACER_RUN_LIVE_H

#include "../analysis/analysis.h"
#include "../ring/ring.h"
#include "../source/selection.h"
#include "recording.h"

typedef struct LiveAnalyses LiveAnalyses;

/* What is analysed. All of it must stay. */
typedef struct LiveOptions {
    const GPtrArray *requests;  /* AnalysisRequest */
    const Selection *selection; /* which accesses: live_selection_check() has approved of it */
} LiveOptions;

/* Starts the analyses. The ring and the facts must stay. NULL with an error. */
LiveAnalyses *live_analyses_new(const LiveOptions *options, Ring *ring, const RecordingFacts *facts, GError **error);
void live_analyses_free(LiveAnalyses *live);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LiveAnalyses, live_analyses_free)

/* What a ring must have for them: of enum mt_fields. */
unsigned live_analyses_fields(const LiveOptions *options);

/* Whether they tell names of code, which live_analyses_find_names() finds. */
bool live_analyses_need_names(const LiveOptions *options);

/* A RingSink; `data` is the LiveAnalyses. Returns false when an analysis has failed. */
bool live_analyses_take(void *data, const struct gmbeoo_record *records, size_t count);
/* Why an analysis has failed, or NULL. Belongs to `live`. */
const GError *live_analyses_error(const LiveAnalyses *live);
/* When no more records come: writes the files that analyses write. False with an error. */
bool live_analyses_finish(LiveAnalyses *live, GError **error);
/* When the workload has ended and no more records come: decides what the code is called. `folder` is for temporary
 * files. False with an error: then it has no names. */
bool live_analyses_find_names(LiveAnalyses *live, const RecordingFacts *facts, const char *folder, GError **error);
/* When no more records come: lines about names and numbers that were asked for and nothing had; to be
 * unreferenced. */
GPtrArray *live_analyses_list_unknown(const LiveAnalyses *live);
/* When no more records come: adds the results to the report, as pump_describe() does. */
void live_analyses_describe(LiveAnalyses *live, Report *report, bool named);

#endif
