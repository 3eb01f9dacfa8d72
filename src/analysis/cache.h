/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The analysis `cache`: simulates a hierarchy of caches. */
#ifndef MEMORY_TRACER_ANALYSIS_CACHE_H
#define MEMORY_TRACER_ANALYSIS_CACHE_H

#include "analysis.h"

extern const AnalysisType cache_analysis;

#endif
