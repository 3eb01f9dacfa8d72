/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of a trace that names select: names of functions (--pc, --function) and of variables (--address). */
#ifndef MEMORY_TRACER_SOURCE_NAMED_PARTS_H
#define MEMORY_TRACER_SOURCE_NAMED_PARTS_H

#include "../context/context.h"
#include "input.h"

/*
 * Whether the argument of --pc or --address is a name, rather than a range or a hexadecimal number. A word such as "add"
 * or "c" could be both: it is a number if it begins with a digit or has NAMED_PARTS_ADDRESS_DIGITS or more.
 */
#define NAMED_PARTS_ADDRESS_DIGITS 8 /* addresses without a digit at their front: of 32-bit code, and the kernel's */
bool named_parts_is_name(const char *text);

/* The code that is wanted: its address is in `pc`, it belongs to the function `pc_name` (NULL: any), and to a function
 * that one of `globs` matches (NULL: any). It belongs to functions that are inlined there, too. NULL with an error if a
 * name has no code. `path` is for messages. The trace must outlive the result, which the caller frees by
 * named_code_free(). */
NamedCode *named_parts_find_code(mt_trace *trace, const char *path, Range pc, const char *pc_name, char **globs,
                                 GError **error);
void named_code_free(NamedCode *code);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NamedCode, named_code_free)

/* Whether an instruction (0: unknown) is wanted if it is executed in this memory (0: unknown). */
bool named_code_wants(NamedCode *code, uint32_t memory, uint32_t number);
/* Whether that depends on the memory; and which memory each task has at which record, which belongs to `code`. */
bool named_code_varies(const NamedCode *code);
const TaskMemory *named_code_task_memory(const NamedCode *code);

/* The same of functions (`globs`) while a guest runs, when the context (context_name_code()) tells what an instruction
 * is when it is executed. Both must stay. */
typedef struct NamedFunctions NamedFunctions;

NamedFunctions *named_functions_new(const Context *context, char **globs);
void named_functions_free(NamedFunctions *functions);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NamedFunctions, named_functions_free)
/* Whether each record of a batch is wanted, which has instructions and tasks. `wanted` has room for all. */
void named_functions_look_at(NamedFunctions *functions, const struct mt_batch *batch, bool *wanted);
/* Whether the glob of this number has matched anything. */
bool named_functions_has_found(const NamedFunctions *functions, guint number);

/* The addresses (Range) of the variables of this name; the caller unreferences them. NULL with an error if there is no
 * such variable. `path` is for messages. */
GArray *named_parts_find_variable(mt_trace *trace, const char *path, const char *name, GError **error);

#endif
