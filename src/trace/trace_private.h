/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the library's two halves share: traces (trace.c) and readers of them (reader.c). */
#ifndef MEMORY_TRACER_TRACE_TRACE_PRIVATE_H
#define MEMORY_TRACER_TRACE_TRACE_PRIVATE_H

#include "../../include/memory_tracer/trace.h"
#include "../ring/ring.h"
#include "file.h"
#include "stream.h"

struct mt_trace {
    enum mt_format format;
    struct mt_block *blocks; /* of a file: what mt_trace_block() gives */
    /* One of these. */
    TraceFile *file;
    Stream *stream;
    Ring *ring;
    /* Kept here by a higher room (context/symbol_of.c), and guarded by the lock. */
    GMutex names_lock;
    void *names;
    void (*free_names)(void *);
    void *tasks; /* the same for context/task_of.c */
    void (*free_tasks)(void *);
    void *objects; /* the same for context/object_of.c */
    void (*free_objects)(void *);
};

/* Copies a GError's message into the caller's struct, which may be NULL, and frees the GError. Returns NULL. */
static inline void *give_error(struct mt_error *error, GError *problem)
{
    if (error)
        g_strlcpy(error->message, problem->message, sizeof error->message);
    g_error_free(problem);
    return NULL;
}

static inline void *give_message(struct mt_error *error, const char *message)
{
    if (error)
        g_strlcpy(error->message, message, sizeof error->message);
    return NULL;
}

#endif
