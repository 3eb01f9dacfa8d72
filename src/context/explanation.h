/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which file an instruction was loaded from. A run knows which files may have been loaded, and for some of them the
 * address. The executed instructions tell the rest. An instruction belongs to a file if the file has the same bytes at
 * this place, and if no other file that may have been there has them, too. Where none of the files has the code that
 * was executed, an unknown file lay at the same addresses in another process. Two files may have equal instructions by
 * chance, or because the programs are similar. So in pages that have unknown code no file gets instructions, and in its
 * other pages a file that shares addresses with unknown code gets only longer sequences.
 */
#ifndef MEMORY_TRACER_CONTEXT_EXPLANATION_H
#define MEMORY_TRACER_CONTEXT_EXPLANATION_H

#include "../../include/memory_tracer/trace.h"
#include "elf_code.h"

typedef struct LoadedFile {
    const ElfCode *elf;
    uint64_t bias; /* what is added to the file's addresses */
} LoadedFile;

/* Finds where else the files of `known` (const ElfCode *) were loaded that can be loaded anywhere, and appends that to
 * `loaded` (LoadedFile). `instructions` are in the order in which they were translated. */
void explanation_find_loaded(const struct mt_instruction *instructions, uint32_t count, const GPtrArray *known,
                             GArray *loaded);

/* Whether the file, where it was loaded, has this instruction. */
bool explanation_matches(const LoadedFile *file, const struct mt_instruction *instruction);

/* For each instruction the number of its file in `loaded`, plus 1, or 0; to be freed. Files that were not executed are
 * removed from `loaded`. */
uint32_t *explanation_find_files(const struct mt_instruction *instructions, uint32_t count, GArray *loaded);

#endif
