/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The analysis `cache`: what a hierarchy of caches would make of the accesses. */
#ifndef MEMORY_TRACER_ANALYSIS_CACHE_H
#define MEMORY_TRACER_ANALYSIS_CACHE_H

#include "analysis.h"

extern const AnalysisType cache_analysis;

#endif
