/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A trace's attachments: see attachment.h. */
#include "attachment.h"

#include <stdio.h>

#include "../base/printable.h"

char *attachment_read(mt_trace *trace, const char *name, size_t *bytes, bool warns)
{
    struct mt_error problem;
    char *contents = mt_trace_attachment(trace, name, bytes, &problem);

    if (!contents && *problem.message && warns) {
        g_autofree char *shown = text_make_printable(name); /* it may be the file's */

        fprintf(stderr, "memory_tracer: ATTENTION: without %s: %s\n", shown, problem.message);
    }
    return contents;
}
