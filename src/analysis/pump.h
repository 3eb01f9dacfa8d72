/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Several analyses of the same records, wherever these come from. */
#ifndef MEMORY_TRACER_ANALYSIS_PUMP_H
#define MEMORY_TRACER_ANALYSIS_PUMP_H

#include "analysis.h"

/* The columns (enum mt_columns) that any of these requests (AnalysisRequest) reads. */
unsigned pump_columns(const GPtrArray *requests);

typedef struct Pump Pump;

/* The analyses of the requests, in their order. Requests and context must outlive the result, which is freed by
 * pump_free(). NULL with an error. */
Pump *pump_new(const GPtrArray *requests, const Context *context, GError **error);
void pump_free(Pump *pump);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Pump, pump_free)

/* Adds the batch to each analysis. False with an error if one of them fails. */
bool pump_add(Pump *pump, const struct mt_batch *batch, GError **error);
/* Measures the CPU time of an analysis even if it is the only one, because others will join it. */
void pump_measure(Pump *pump);
/* Says which part of the work its analyses have. To be called before any record. */
void pump_take_part(Pump *pump, const AnalysisPart *part);
/* AnalysisType's functions, of its only analysis. */
void pump_begin_thin(Pump *pump);
size_t pump_thin(Pump *pump, const struct mt_batch *batch, uint32_t *kept);
/* Adds what the next part, of the same requests, has come to (AnalysisType's merge). */
bool pump_merge(Pump *pump, Pump *next, GError **error);
/* Appends the analyses of another pump, and leaves that without any. */
void pump_join(Pump *pump, Pump *other);
/* To be called behind the last record: writes the analyses' files. False with an error. */
bool pump_finish(Pump *pump, GError **error);
/* Adds the results to the report: with `named`, each in a section with the analysis's name, else all of them directly.
 * If there are several analyses, adds the CPU time that each has taken in pump_add(). */
void pump_describe(Pump *pump, Report *report, bool named);

#endif
