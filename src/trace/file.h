/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An open trace file: its chunks, and the contents of the chunks that are not blocks. It doesn't change once it is
 * open.
 */
#ifndef MEMORY_TRACER_TRACE_FILE_H
#define MEMORY_TRACER_TRACE_FILE_H

#include <gio/gio.h>
#include <stdbool.h>

#include "../../include/memory_tracer/trace.h"
#include "changes.h"
#include "format.h"

typedef struct TraceAttachments TraceAttachments;

typedef struct TraceFile {
    int fd;
    char *name;
    uint64_t bytes;
    struct format_header header;
    GArray *chunks;       /* struct format_index_entry, all but the index itself */
    GArray *blocks;       /* uint32_t: which chunks are blocks */
    GArray *instructions; /* struct mt_instruction; the first one has number 1 */
    TraceChanges *changes;
    TraceAttachments *attachments;
    GString *metadata;
    uint64_t known;      /* records that were known to exist when the last block was written */
    bool salvaging;      /* opened with TRACE_FILE_SALVAGE */
    bool complete;       /* the index was there */
    char *damage;        /* if it wasn't: what was found where the good chunks end */
    uint64_t good_bytes; /* where the good chunks end */
    bool lost_others;    /* salvaging: chunks other than blocks were damaged */
} TraceFile;

typedef enum {
    TRACE_FILE_READ,
    /* Ignores the index, checks every chunk's hash, and looks for good chunks behind bad ones. */
    TRACE_FILE_SALVAGE,
} TraceFileMode;

/* Opens a trace file; NULL with an error if it is none. The result, which trace_file_free() frees, owns `fd`; on
 * failure `fd` is closed, too. `name` is for messages. */
TraceFile *trace_file_open(int fd, const char *name, TraceFileMode mode, GError **error);
void trace_file_free(TraceFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TraceFile, trace_file_free)

/* The file of a trace that the library has opened; NULL for a stream or a ring. Belongs to the trace. */
const TraceFile *trace_file_of(const mt_trace *trace);

/* Whether these are the first bytes of a trace file. */
bool trace_file_is_one(const void *first_bytes, size_t count);

static inline const struct format_index_entry *trace_file_block(const TraceFile *file, size_t number)
{
    return &g_array_index(file->chunks, struct format_index_entry, g_array_index(file->blocks, uint32_t, number));
}

/* Reads a chunk's payload into `payload`, which is resized, and checks its hash. False with an error. Several threads
 * may call it at once. */
bool trace_file_read(const TraceFile *file, const struct format_index_entry *chunk, GByteArray *payload,
                     GError **error);

/* Reads every chunk and checks its hash. False with an error that says which one is damaged. */
bool trace_file_verify(const TraceFile *file, GError **error);
/* The same without the blocks, for callers that have read those. */
bool trace_file_verify_others(const TraceFile *file, GError **error);

/* The names of the attachments, in the order of the file; the caller frees them by g_strfreev(). What they name may be
 * damaged. */
char **trace_file_attachment_names(const TraceFile *file);

/* The decompressed contents of an attachment, which the caller unreferences. NULL with an error if it can't be read;
 * NULL without an error if there is none. */
GByteArray *trace_file_attachment(const TraceFile *file, const char *name, GError **error);
/* How many bytes of the file it takes; 0 if there is none. */
uint64_t trace_file_attachment_bytes(const TraceFile *file, const char *name);

#endif
