/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a new trace says of where its code was loaded from: each input's code keeps its own names, and
 * so does its kernel. */
#ifndef MEMORY_TRACER_SOURCE_MERGED_CODE_H
#define MEMORY_TRACER_SOURCE_MERGED_CODE_H

#include "../../include/memory_tracer/trace.h"
#include "../trace/writer.h"

typedef struct MergedCode MergedCode;

MergedCode *merged_code_new(void);
void merged_code_free(MergedCode *code);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MergedCode, merged_code_free)

/* The first input's attachments keep their names; those of others get new ones, if their contents differ.
 * `first_input` is added to the numbers of its own inputs, of which there are so many. */
void merged_code_add_input(MergedCode *code, mt_trace *trace, uint32_t first_input, uint32_t inputs);
/* Where the instruction `number` of an input (counted from 0) is from: the same number for the same origin; 0 if it
 * isn't known. */
uint32_t merged_code_origin(const MergedCode *code, guint input, uint32_t number);
/* The next instruction of the new trace is from there. */
void merged_code_add_instruction(MergedCode *code, uint32_t origin);

/* An instruction of an input, and what it is in the new trace: what other files have the same is known of that, too. */
void merged_code_add_same(MergedCode *code, guint number, uint32_t instruction, uint32_t new_instruction);

/* Whether an attachment of an input is one of those that merged_code_attach() writes anew. */
bool merged_code_writes(const char *attachment);
bool merged_code_attach(MergedCode *code, TraceWriter *writer, GError **error);

#endif
