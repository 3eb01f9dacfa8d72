/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a file's debug information (DWARF 2 to 5) says of its code. The file is not trusted. */
#ifndef MEMORY_TRACER_CONTEXT_DEBUG_INFO_H
#define MEMORY_TRACER_CONTEXT_DEBUG_INFO_H

#include "elf_code.h"
#include "line_table.h"

/* An instruction of the file. */
typedef struct CodePiece {
    uint64_t address; /* as the file has it */
    uint64_t bytes;
} CodePiece;

/* The source lines of the pieces (CodePiece, by address, each once), from the file itself or its separate debug file.
 * NULL if it has none. *work is how many entries of debug information may be looked at, and is counted down: with
 * none left, the rest has no inlined functions. */
LineTable *debug_info_find_lines(const ElfCode *elf, const GArray *pieces, uint64_t *work);

#endif
