/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file that a run's summary is written to. If it can't be written, that is an error before the run, not after hours
 * of it. */
#ifndef MEMORY_TRACER_CMD_SUMMARY_FILE_H
#define MEMORY_TRACER_CMD_SUMMARY_FILE_H

#include <glib.h>
#include <stdbool.h>

typedef struct SummaryFile SummaryFile;

/* Before the run: checks whether `path` can be written. It may be a regular file, a device, or a FIFO that somebody
 * opens for reading within a second; devices and FIFOs are opened now. NULL with an error. */
SummaryFile *summary_file_new(const char *path, GError **error);
/* After the run: writes the text. A regular file is written beside its place and renamed. False with an error. */
bool summary_file_write(SummaryFile *file, const char *text, GError **error);
void summary_file_free(SummaryFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SummaryFile, summary_file_free)

#endif
