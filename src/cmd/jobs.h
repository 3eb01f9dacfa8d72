/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Analyses of a trace file by several threads (--jobs). The result is that of one. */
#ifndef MEMORY_TRACER_CMD_JOBS_H
#define MEMORY_TRACER_CMD_JOBS_H

#include "../analysis/pump.h"
#include "../source/input.h"

#define JOBS_MOST 256

typedef struct Jobs Jobs;

/* Plans how `most` threads share the analyses of `requests` (AnalysisRequest): several analyses have a thread each; one
 * is divided (AnalysisDivision), or a thread decodes for it. `input` is the trace at `path` under this selection, not
 * read yet. NULL if they can't; then a line on stderr has said why. All arguments must stay until it is freed. */
Jobs *jobs_new(const GPtrArray *requests, const Input *input, const char *path, const Selection *selection,
               unsigned most);
void jobs_free(Jobs *jobs);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Jobs, jobs_free)
/* Reads the trace. Returns the analyses, in the order of the requests, which belong to `jobs`; NULL with an error. */
Pump *jobs_run(Jobs *jobs, GError **error);

#endif
