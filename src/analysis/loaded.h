/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A user's own analysis, from a shared object (memory_tracer/analysis.h), as an AnalysisType. It runs in this process
 * and is trusted: the user has chosen it. */
#ifndef MEMORY_TRACER_ANALYSIS_LOADED_H
#define MEMORY_TRACER_ANALYSIS_LOADED_H

#include "analysis.h"

typedef struct LoadedAnalysis LoadedAnalysis;

/* Loads it. NULL with an error: there is no such object, it has no analysis, or it is for another version. */
LoadedAnalysis *loaded_analysis_open(const char *path, GError **error);
/* The type, which belongs to `loaded`. */
const AnalysisType *loaded_analysis_type(const LoadedAnalysis *loaded);
void loaded_analysis_free(LoadedAnalysis *loaded);

#endif
