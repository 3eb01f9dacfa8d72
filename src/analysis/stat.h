/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The analysis `stat`: kinds of accesses, how much memory they touched, and in what order. */
#ifndef MEMORY_TRACER_ANALYSIS_STAT_H
#define MEMORY_TRACER_ANALYSIS_STAT_H

#include "analysis.h"

#define STAT_DEFAULT_TOP 10

typedef struct StatOptions {
    int top;        /* rows of the tables of pages, instructions and functions */
    gboolean brief; /* counts and footprint only: what `run` prints */
} StatOptions;

extern const AnalysisType stat_analysis;

#endif
