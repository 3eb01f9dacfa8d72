/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The analysis `heatmap`: accesses by address and time, as a picture. */
#ifndef MEMORY_TRACER_ANALYSIS_HEATMAP_H
#define MEMORY_TRACER_ANALYSIS_HEATMAP_H

#include "analysis.h"

extern const AnalysisType heatmap_analysis;

#endif
