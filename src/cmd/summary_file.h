/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file that a run's summary goes to. That it can't be written is told before the run, not after hours of it. */
#ifndef MEMORY_TRACER_CMD_SUMMARY_FILE_H
#define MEMORY_TRACER_CMD_SUMMARY_FILE_H

#include <glib.h>
#include <stdbool.h>

typedef struct SummaryFile SummaryFile;

/* Before the run: looks whether `path` can be written, which may be a regular file, a device, or a FIFO that somebody
 * reads (within a second). These two are opened now. */
SummaryFile *summary_file_new(const char *path, GError **error);
/* After it: a regular file is written beside and renamed. */
bool summary_file_write(SummaryFile *file, const char *text, GError **error);
void summary_file_free(SummaryFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SummaryFile, summary_file_free)

#endif
