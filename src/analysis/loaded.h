/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Somebody's own analysis, from a shared object (memory_tracer/analysis.h), as one of ours. It runs in our process and
 * is trusted as we are: whoever names it has chosen it. */
#ifndef MEMORY_TRACER_ANALYSIS_LOADED_H
#define MEMORY_TRACER_ANALYSIS_LOADED_H

#include "analysis.h"

typedef struct LoadedAnalysis LoadedAnalysis;

/* NULL on failure: no such object, none of an analysis, or one for another version. */
LoadedAnalysis *loaded_analysis_open(const char *path, GError **error);
/* Belongs to it. */
const AnalysisType *loaded_analysis_type(const LoadedAnalysis *loaded);
void loaded_analysis_free(LoadedAnalysis *loaded);

#endif
