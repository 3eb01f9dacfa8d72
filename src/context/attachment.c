/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A trace's attachments: see attachment.h. */
#include "attachment.h"

#include <stdio.h>

char *attachment_read(mt_trace *trace, const char *name, size_t *bytes, bool warns)
{
    struct mt_error problem;
    char *contents = mt_trace_attachment(trace, name, bytes, &problem);

    if (!contents && *problem.message && warns)
        fprintf(stderr, "memory_tracer: ATTENTION: without %s: %s\n", name, problem.message);
    return contents;
}
