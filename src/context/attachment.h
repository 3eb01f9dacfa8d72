/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is attached to a trace. */
#ifndef MEMORY_TRACER_CONTEXT_ATTACHMENT_H
#define MEMORY_TRACER_CONTEXT_ATTACHMENT_H

#include "../../include/memory_tracer/trace.h"

/* The contents of the attachment `name`, followed by a 0 byte that *bytes doesn't count; the caller frees it by free().
 * NULL if there is no such attachment, or if it can't be read (with `warns`, a warning on stderr says so). */
char *attachment_read(mt_trace *trace, const char *name, size_t *bytes, bool warns);

#endif
