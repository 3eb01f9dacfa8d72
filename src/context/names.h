/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names for a trace's instructions, by what the trace itself tells. */
#ifndef MEMORY_TRACER_CONTEXT_NAMES_H
#define MEMORY_TRACER_CONTEXT_NAMES_H

#include <glib.h>

#include "../../include/memory_tracer/trace.h"

typedef struct Names Names;

Names *names_new(mt_trace *trace);
void names_free(Names *names);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Names, names_free)

/* The function that it is in, and the distance from its beginning. Where a file tells no function: the file's name and
 * the address in it. Printable; to be freed. NULL if it isn't known what the instruction belongs to. */
char *names_of_instruction(Names *names, uint32_t number, uint64_t *offset);

#endif
