/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files whose code was executed in a trace that lacks their names: the attachment `missing` (doc/trace_format.md). */
#ifndef MEMORY_TRACER_CONTEXT_MISSING_CODE_H
#define MEMORY_TRACER_CONTEXT_MISSING_CODE_H

#include <glib.h>

#include "../../include/memory_tracer/trace.h"

#define MISSING_CODE "missing"

typedef enum MissingReason {
    MISSING_GONE,
    MISSING_CHANGED,
    MISSING_UNREADABLE,
    MISSING_IN_GUEST,
    MISSING_REASONS,
} MissingReason;

typedef struct MissingCode {
    char *path; /* as the workload saw it: any bytes */
    MissingReason reason;
} MissingCode;

/* An empty list of MissingCode, which the caller unreferences. */
GPtrArray *missing_code_new(void);
/* Adds a file, unless its path is in the list, or the list is full (4096 files). Copies the path. */
void missing_code_add(GPtrArray *list, const char *path, MissingReason reason);
/* "it is no longer on this machine" */
const char *missing_code_explain(MissingReason reason);

/* The attachment's contents, which the caller frees; and the list that a trace has, which the caller unreferences. */
char *missing_code_write(const GPtrArray *list);
GPtrArray *missing_code_read(mt_trace *trace);

#endif
