/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The analysis `sharing`: lines that several vCPUs touch, truly or falsely shared, and who invalidates whose copies. */
#ifndef MEMORY_TRACER_ANALYSIS_SHARING_H
#define MEMORY_TRACER_ANALYSIS_SHARING_H

#include "analysis.h"

extern const AnalysisType sharing_analysis;

#endif
