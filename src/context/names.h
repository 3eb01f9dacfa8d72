/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names for a trace's instructions, by what the trace itself tells. Each is found once. */
#ifndef MEMORY_TRACER_CONTEXT_NAMES_H
#define MEMORY_TRACER_CONTEXT_NAMES_H

#include <glib.h>
#include <stdbool.h>

#include "../../include/memory_tracer/trace.h"
#include "task_memory.h"

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

/* The same where it is executed in this memory (0: unknown): what has the same instruction at the same address in
 * another one may be something else. */
const struct mt_symbol *names_symbol_in(Names *names, uint32_t memory, uint32_t number);
const char *names_of_instruction_in(Names *names, uint32_t memory, uint32_t number, uint64_t *offset);
/* Whether that depends on the memory. */
bool names_vary(Names *names, uint32_t number);
/* The address at which it is executed in this memory (0: unknown). The recorded one is that of the process that
 * executed it first, where several have mapped the same file. 0 if there is no such instruction. */
uint64_t names_pc_in(Names *names, uint32_t memory, uint32_t number);
/* Whether that depends on the memory. */
bool names_pc_varies(Names *names, uint32_t number);
/* The same of the batch's record `i`. The batch was read with its instructions, and with its tasks if there are any. */
uint64_t names_pc_at(Names *names, const struct mt_batch *batch, size_t i);
/* The memory in which the batch's record `i` was made; 0: unknown, or the batch was read without MT_COLUMN_TASK. */
uint32_t names_memory_at(const Names *names, const struct mt_batch *batch, size_t i);
/* Which memory each task has when. It belongs to `names`. */
const TaskMemory *names_task_memory(const Names *names);

/* Appends (const char *) its function as the linker names it, and those that are inlined there, which needn't be
 * printable. A name is always the same pointer. */
void names_list_functions(Names *names, uint32_t number, GPtrArray *to);
/* The same in this memory, or in any. */
void names_list_functions_in(Names *names, uint32_t memory, uint32_t number, GPtrArray *to);
void names_list_all_functions(Names *names, uint32_t number, GPtrArray *to);

#endif
