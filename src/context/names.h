/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names for a trace's instructions, by what the trace itself tells. Each is found once. */
#ifndef MEMORY_TRACER_CONTEXT_NAMES_H
#define MEMORY_TRACER_CONTEXT_NAMES_H

#include <glib.h>

#include "../../include/memory_tracer/trace.h"

typedef struct Names Names;

/* `warns`: on standard error, of what can't be read. */
Names *names_new(mt_trace *trace, bool warns);
void names_free(Names *names);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Names, names_free)

/* What an instruction belongs to, or NULL. It belongs to `names`. All texts are printable. */
const struct mt_symbol *names_symbol(Names *names, uint32_t number);

/* The function that it is in, as one shows it, and the distance from its beginning. Where a file tells no function: the
 * file's name and the address in it. It belongs to `names`. NULL if it isn't known what the instruction belongs to. */
const char *names_of_instruction(Names *names, uint32_t number, uint64_t *offset);

/* Appends (const char *) its function as the linker names it, and those that are inlined there, which needn't be
 * printable. A name is always the same pointer. */
void names_list_functions(Names *names, uint32_t number, GPtrArray *to);

#endif
