/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is attached to a trace. */
#ifndef MEMORY_TRACER_CONTEXT_ATTACHMENT_H
#define MEMORY_TRACER_CONTEXT_ATTACHMENT_H

#include "../../include/memory_tracer/trace.h"

/* To be freed with free(); NULL if there is none, or (with `warns`, after a warning) if it can't be read. A 0 byte
 * follows. */
char *attachment_read(mt_trace *trace, const char *name, size_t *bytes, bool warns);

#endif
