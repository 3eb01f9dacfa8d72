/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A trace file's attachments, by their names. A name is read when the file is opened, the rest when it is asked for. */
#ifndef MEMORY_TRACER_TRACE_ATTACHMENTS_H
#define MEMORY_TRACER_TRACE_ATTACHMENTS_H

#include "file.h"

TraceAttachments *attachments_new(void);
void attachments_free(TraceAttachments *attachments);
/* Adds one of the file's chunks. If it can't be read, it has no name, and can't be asked for. */
void attachments_add(TraceFile *file, guint chunk);

#endif
