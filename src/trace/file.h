/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An opened trace file: its chunks, and what is in those that are no blocks. It doesn't change once it is open. */
#ifndef MEMORY_TRACER_TRACE_FILE_H
#define MEMORY_TRACER_TRACE_FILE_H

#include <gio/gio.h>
#include <stdbool.h>

#include "../../include/memory_tracer/trace.h"
#include "changes.h"
#include "format.h"

typedef struct TraceFile {
    int fd;
    char *name;
    uint64_t bytes;
    struct format_header header;
    GArray *chunks;       /* struct format_index_entry, all but the index itself */
    GArray *blocks;       /* uint32_t: which chunks are blocks */
    GArray *instructions; /* struct mt_instruction, the one of number 1 first */
    TraceChanges *changes;
    GString *metadata;
    uint64_t known;      /* records that were known to exist when the last block was written */
    bool salvaging;      /* opened with TRACE_FILE_SALVAGE */
    bool complete;       /* the index was there */
    char *damage;        /* else: what was found where the good chunks end */
    uint64_t good_bytes; /* where the good chunks end */
    bool lost_others;    /* salvaging: chunks that were no blocks were damaged */
} TraceFile;

typedef enum {
    TRACE_FILE_READ,
    /* Doesn't believe the index, looks at every chunk and its hash, and for good chunks behind bad ones. */
    TRACE_FILE_SALVAGE,
} TraceFileMode;

/* Takes `fd`, also on failure. */
TraceFile *trace_file_open(int fd, const char *name, TraceFileMode mode, GError **error);
void trace_file_free(TraceFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TraceFile, trace_file_free)

/* The file of a trace that the library has opened; NULL if it is none. Belongs to the trace. */
const TraceFile *trace_file_of(const mt_trace *trace);

/* Whether a file begins with this. */
bool trace_file_is_one(const void *first_bytes, size_t count);

static inline const struct format_index_entry *trace_file_block(const TraceFile *file, size_t number)
{
    return &g_array_index(file->chunks, struct format_index_entry, g_array_index(file->blocks, uint32_t, number));
}

/* Reads a chunk's payload into `payload` (resized) and checks its hash. May be called by several threads at once. */
bool trace_file_read(const TraceFile *file, const struct format_index_entry *chunk, GByteArray *payload,
                     GError **error);

/* Reads every chunk and checks its hash. */
bool trace_file_verify(const TraceFile *file, GError **error);
/* The same without the blocks, for who has read those. */
bool trace_file_verify_others(const TraceFile *file, GError **error);

/* What is attached, in the order of the file; to be freed with g_strfreev(). Leaves out what can't be read, with an
 * error (of the first one). */
char **trace_file_attachment_names(const TraceFile *file, GError **error);

/* Decompresses what was attached under `name`. NULL, perhaps with an error, if there is none. */
GByteArray *trace_file_attachment(const TraceFile *file, const char *name, GError **error);

#endif
