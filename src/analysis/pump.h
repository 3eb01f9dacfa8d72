/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Several analyses that are given the same records, wherever these come from. */
#ifndef MEMORY_TRACER_ANALYSIS_PUMP_H
#define MEMORY_TRACER_ANALYSIS_PUMP_H

#include "analysis.h"

/* Of enum mt_columns: what any of these requests (AnalysisRequest) reads. */
unsigned pump_columns(const GPtrArray *requests);

typedef struct Pump Pump;

/* The analyses of the requests, in their order. Requests and context must stay. NULL on failure. */
Pump *pump_new(const GPtrArray *requests, const Context *context, GError **error);
void pump_free(Pump *pump);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Pump, pump_free)

/* Gives each the batch. False, with an error, when one has failed. */
bool pump_add(Pump *pump, const struct mt_batch *batch, GError **error);
/* Takes the CPU time of an analysis even if it is the only one: others will join it. */
void pump_measure(Pump *pump);
/* Each of its analyses has this part of the work; before any record. */
void pump_take_part(Pump *pump, const AnalysisPart *part);
/* Whether parts of its only analysis need not look at all records; then which, and instead of pump_add()
 * (AnalysisType's thin and add_kept). */
bool pump_can_thin(const Pump *pump);
size_t pump_thin(const Pump *pump, const struct mt_batch *batch, uint32_t *kept);
bool pump_add_kept(Pump *pump, const struct mt_batch *batch, const uint32_t *kept, size_t count, GError **error);
/* Adds what the next part, of the same requests, has come to (AnalysisType's merge). */
bool pump_merge(Pump *pump, Pump *next, GError **error);
/* Takes over the analyses of another one, behind its own. */
void pump_join(Pump *pump, Pump *other);
/* Behind the last record: files that analyses write are written. */
bool pump_finish(Pump *pump, GError **error);
/* Adds the results: each as a section with the analysis's name, or, unless `named`, all to `report` itself; and,
 * if they are several, the CPU time that each has taken in pump_add(). */
void pump_describe(Pump *pump, Report *report, bool named);

#endif
