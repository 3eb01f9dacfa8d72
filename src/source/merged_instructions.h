/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The instructions of several traces. Equal ones from the same file become one instruction. */
#ifndef MEMORY_TRACER_SOURCE_MERGED_INSTRUCTIONS_H
#define MEMORY_TRACER_SOURCE_MERGED_INSTRUCTIONS_H

#include "merged_code.h"

typedef struct MergedInstructions {
    GHashTable *known; /* the set of KnownInstruction */
    GArray *all;       /* struct mt_instruction: the new trace's; the first one has number 1 */
    GPtrArray *maps;   /* uint32_t[], for each input: new numbers by old ones */
    MergedCode *code;
} MergedInstructions;

void merged_instructions_init(MergedInstructions *instructions);
void merged_instructions_clear(MergedInstructions *instructions);
/* Adds the instructions of the next input; `first_input` and `inputs` as for merged_code_add_input(). */
void merged_instructions_add(MergedInstructions *instructions, mt_trace *trace, uint32_t first_input, uint32_t inputs);

#endif
