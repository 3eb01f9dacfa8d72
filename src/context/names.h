/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names for a trace's instructions, from the trace alone. Each name is found once and kept. */
#ifndef MEMORY_TRACER_CONTEXT_NAMES_H
#define MEMORY_TRACER_CONTEXT_NAMES_H

#include <glib.h>
#include <stdbool.h>

#include "../../include/memory_tracer/trace.h"
#include "task_memory.h"

typedef struct Names Names;

/* The trace must outlive the result. `warns`: attachments that can't be read are reported on stderr. */
Names *names_new(mt_trace *trace, bool warns);
void names_free(Names *names);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Names, names_free)

/* The symbol that an instruction belongs to, or NULL. It is owned by `names`. All texts are printable. */
const struct mt_symbol *names_symbol(Names *names, uint32_t number);

/* The text to show for an instruction: its function, and in *offset the bytes from the function's beginning; or, where
 * the file has no function, the file's name and the address in it. NULL if neither is known. `names` owns the text. */
const char *names_of_instruction(Names *names, uint32_t number, uint64_t *offset);

/* The same for an instruction that is executed in this memory (address space; 0: unknown). Another memory may have
 * another file with the same instruction at the same address. */
const struct mt_symbol *names_symbol_in(Names *names, uint32_t memory, uint32_t number);
const char *names_of_instruction_in(Names *names, uint32_t memory, uint32_t number, uint64_t *offset);
/* Whether the instruction's names depend on the memory. */
bool names_vary(Names *names, uint32_t number);
/* The address at which an instruction is executed in this memory (0: unknown); 0 if there is no such instruction. Where
 * several processes have mapped the same file, the recorded address is that of the first one to execute it. */
uint64_t names_pc_in(Names *names, uint32_t memory, uint32_t number);
/* Whether the instruction's address depends on the memory. */
bool names_pc_varies(Names *names, uint32_t number);
/* The address of the instruction that made the batch's record `i`. The batch was read with its instructions, and with
 * its tasks if the trace has any. */
uint64_t names_pc_at(Names *names, const struct mt_batch *batch, size_t i);
/* The memory in which the batch's record `i` was made; 0: unknown, or the batch was read without MT_COLUMN_TASK. */
uint32_t names_memory_at(const Names *names, const struct mt_batch *batch, size_t i);
/* Which memory each task has at which record. It belongs to `names`. */
const TaskMemory *names_task_memory(const Names *names);

/* Appends the linker names (const char *) of an instruction's function and of the functions that are inlined there.
 * They belong to `names`, and may have bytes that aren't printable. The same name is always the same pointer. */
void names_list_functions(Names *names, uint32_t number, GPtrArray *to);
/* The same in this memory, or in any. */
void names_list_functions_in(Names *names, uint32_t memory, uint32_t number, GPtrArray *to);
void names_list_all_functions(Names *names, uint32_t number, GPtrArray *to);

#endif
