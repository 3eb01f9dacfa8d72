/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The instructions of several traces, each once: those that are equal, and from the same file. */
#ifndef MEMORY_TRACER_SOURCE_MERGED_INSTRUCTIONS_H
#define MEMORY_TRACER_SOURCE_MERGED_INSTRUCTIONS_H

#include "merged_code.h"

typedef struct MergedInstructions {
    GHashTable *known; /* of KnownInstruction, which are their own values */
    GArray *all;       /* struct mt_instruction: the new trace's, that of number 1 first */
    GPtrArray *maps;   /* uint32_t[]: new numbers by old ones, an array for each input */
    MergedCode *code;
} MergedInstructions;

void merged_instructions_init(MergedInstructions *instructions);
void merged_instructions_clear(MergedInstructions *instructions);
/* Adds those of the next input, whose own inputs (so many) are numbered from `first_input` on in the new trace. */
void merged_instructions_add(MergedInstructions *instructions, mt_trace *trace, uint32_t first_input, uint32_t inputs);

#endif
