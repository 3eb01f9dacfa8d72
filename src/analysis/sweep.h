/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The analysis `sweep`: the misses of many sizes and ways of one cache, in one pass. */
#ifndef MEMORY_TRACER_ANALYSIS_SWEEP_H
#define MEMORY_TRACER_ANALYSIS_SWEEP_H

#include "analysis.h"

extern const AnalysisType sweep_analysis;

#endif
