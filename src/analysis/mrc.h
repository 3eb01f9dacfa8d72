/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The analysis `mrc`: miss-ratio curves of LRU caches of any size, exact or of a sample. */
#ifndef MEMORY_TRACER_ANALYSIS_MRC_H
#define MEMORY_TRACER_ANALYSIS_MRC_H

#include "analysis.h"

extern const AnalysisType mrc_analysis;

#endif
