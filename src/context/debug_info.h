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
 * NULL if neither has any; the caller frees the table. *work limits how many entries of debug information are read, and
 * is counted down: when it is 0, the remaining code gets no inlined functions. */
LineTable *debug_info_find_lines(const ElfCode *elf, const GArray *pieces, uint64_t *work);

/* The units of compilation of a file, whose lines are asked for one by one, while a guest runs. */
typedef struct DebugUnits DebugUnits;

/* The file must stay. */
DebugUnits *debug_units_new(const ElfCode *elf);
void debug_units_free(DebugUnits *units);
/* Adds the lines of all code of the unit that has the code at `address`, unless they were added before. *work as above.
 */
void debug_units_add_lines(DebugUnits *units, uint64_t address, LineTable *table, uint64_t *work);

#endif
