/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads streams of GMBEOO and compact records from a file, FIFO or pipe. */
#ifndef MEMORY_TRACER_TRACE_STREAM_H
#define MEMORY_TRACER_TRACE_STREAM_H

#include <gio/gio.h>

#include "../../include/memory_tracer/trace.h"

typedef struct Stream Stream;

/* Opens a stream; NULL with an error. The result owns `fd`; on failure `fd` is closed, too. With MT_FORMAT_AUTO, the
 * first bytes tell the format. If they are a trace file's, it sets *is_file and returns NULL without an error, and the
 * caller keeps the descriptor, whose position may have changed. */
Stream *stream_open(int fd, const char *name, enum mt_format format, bool *is_file, GError **error);
void stream_free(Stream *stream);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Stream, stream_free)

/* The stream's format: MT_FORMAT_GMBEOO or MT_FORMAT_COMPACT. */
enum mt_format stream_format(const Stream *stream);

/* Reads the next records, which are of one vCPU, into `batch`; its arrays are valid until the next call. Returns 1; 0
 * at the end; -1 with an error. */
int stream_next(Stream *stream, unsigned columns, struct mt_batch *batch, GError **error);

#endif
