/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads streams of GMBEOO and compact records from a file, FIFO or pipe. */
#ifndef MEMORY_TRACER_TRACE_STREAM_H
#define MEMORY_TRACER_TRACE_STREAM_H

#include <gio/gio.h>

#include "../../include/memory_tracer/trace.h"

typedef struct Stream Stream;

/* Takes `fd`, also on failure. Reads the first bytes, to see what it is: *is_file if it is a trace file, which is not
 * read here (the descriptor is left to the caller then, at its beginning or not; NULL is returned without an error). */
Stream *stream_open(int fd, const char *name, enum mt_format format, bool *is_file, GError **error);
void stream_free(Stream *stream);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Stream, stream_free)

/* MT_FORMAT_GMBEOO or MT_FORMAT_COMPACT. */
enum mt_format stream_format(const Stream *stream);

/* Like mt_reader_next(). */
int stream_next(Stream *stream, unsigned columns, struct mt_batch *batch, GError **error);

#endif
