/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What file.c does for attachments.c. */
#ifndef MEMORY_TRACER_TRACE_FILE_PRIVATE_H
#define MEMORY_TRACER_TRACE_FILE_PRIVATE_H

#include "file.h"

/* Reads bytes of the file, all of them. False with an error. */
bool trace_file_read_at(const TraceFile *file, uint64_t offset, void *to, size_t bytes, GError **error);
/* Decompresses bytes of this chunk. The caller unreferences the result; NULL with an error. */
GByteArray *trace_file_decompress(const TraceFile *file, const struct format_index_entry *chunk, const uint8_t *data,
                                  size_t bytes, GError **error);

#endif
