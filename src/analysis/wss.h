/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The analysis `wss`: the working set over time. */
#ifndef MEMORY_TRACER_ANALYSIS_WSS_H
#define MEMORY_TRACER_ANALYSIS_WSS_H

#include "analysis.h"

extern const AnalysisType wss_analysis;

#endif
