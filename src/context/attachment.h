/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is attached to a trace. */
#ifndef MEMORY_TRACER_CONTEXT_ATTACHMENT_H
#define MEMORY_TRACER_CONTEXT_ATTACHMENT_H

#include <string.h>

#include "../../include/memory_tracer/trace.h"

/* The contents of the attachment `name`, followed by a 0 byte that *bytes doesn't count; the caller frees it by free().
 * NULL if there is no such attachment, or if it can't be read (with `warns`, a warning on stderr says so). */
char *attachment_read(mt_trace *trace, const char *name, size_t *bytes, bool warns);

/* Takes the next line from a text, and ends it by a 0 in place of its line feed. *text goes on to the rest, and becomes
 * NULL behind the last line. Returns NULL if *text is NULL. */
static inline char *attachment_take_line(char **text)
{
    char *line = *text, *end = line ? strchr(line, '\n') : NULL;

    if (end)
        *end++ = 0;
    *text = end;
    return line;
}

#endif
