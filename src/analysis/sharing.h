/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines that several vCPUs touch: true and false sharing, and who takes lines from whom. */
#ifndef MEMORY_TRACER_ANALYSIS_SHARING_H
#define MEMORY_TRACER_ANALYSIS_SHARING_H

#include "analysis.h"

extern const AnalysisType sharing_analysis;

#endif
