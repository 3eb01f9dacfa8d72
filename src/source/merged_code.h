/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the code of a merged trace was loaded from. The code and the kernel of each input keep their own names. */
#ifndef MEMORY_TRACER_SOURCE_MERGED_CODE_H
#define MEMORY_TRACER_SOURCE_MERGED_CODE_H

#include "../../include/memory_tracer/trace.h"
#include "../trace/writer.h"

typedef struct MergedCode MergedCode;

MergedCode *merged_code_new(void);
void merged_code_free(MergedCode *code);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MergedCode, merged_code_free)

/* Adds an input. The first input's attachments keep their names; those of others get new names if their contents
 * differ. An input may have been merged, too: it has `inputs` inputs of its own, to whose numbers `first_input` is
 * added. The trace must outlive `code`. */
void merged_code_add_input(MergedCode *code, mt_trace *trace, uint32_t first_input, uint32_t inputs);
/* The origin of an input's instruction, as its number in the new trace, plus 1; 0 if it isn't known. Inputs are counted
 * from 0, instructions from 1. */
uint32_t merged_code_origin(const MergedCode *code, guint input, uint32_t number);
/* Says which origin (as above) the next instruction of the new trace has. */
void merged_code_add_instruction(MergedCode *code, uint32_t origin);

/* Adds to the new trace which other files have an input's instruction. `number` is the input's, and `new_instruction`
 * the instruction's number in the new trace. */
void merged_code_add_same(MergedCode *code, guint number, uint32_t instruction, uint32_t new_instruction);

/* Whether merged_code_attach() writes an attachment of this name, so that the input's must not be copied. */
bool merged_code_writes(const char *attachment);
bool merged_code_attach(MergedCode *code, TraceWriter *writer, GError **error);

#endif
