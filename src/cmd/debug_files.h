/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The debug information that a trace has in it (record --embed-debug). */
#ifndef MEMORY_TRACER_CMD_DEBUG_FILES_H
#define MEMORY_TRACER_CMD_DEBUG_FILES_H

#include "../../include/memory_tracer/trace.h"
#include "../report/report.h"

/* Adds a table of the files, if there are any. */
void debug_files_describe(mt_trace *trace, Report *report);
/* Writes each of them below `folder`, where debuggers look for a build-id: .build-id/12/3456.debug; one without, under
 * its id. False with an error, which it is, too, if there are none. */
bool debug_files_extract(mt_trace *trace, const char *path, const char *folder, GError **error);

#endif
