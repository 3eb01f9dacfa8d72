/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The analysis `reuse`: how soon memory is used again, and by which strides, by instruction and function. */
#ifndef MEMORY_TRACER_ANALYSIS_REUSE_H
#define MEMORY_TRACER_ANALYSIS_REUSE_H

#include "analysis.h"

extern const AnalysisType reuse_analysis;

#endif
