/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The analysis `tlb`: simulates data TLBs. */
#ifndef MEMORY_TRACER_ANALYSIS_TLB_H
#define MEMORY_TRACER_ANALYSIS_TLB_H

#include "analysis.h"

extern const AnalysisType tlb_analysis;

#endif
