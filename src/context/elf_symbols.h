/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The functions and data objects of an ELF file, by its symbol tables, those of its separate debug file (debug_file.h)
 * if it was stripped, or else those that are compressed in .gnu_debugdata; and the entries of its procedure linkage
 * table. */
#ifndef MEMORY_TRACER_CONTEXT_ELF_SYMBOLS_H
#define MEMORY_TRACER_CONTEXT_ELF_SYMBOLS_H

#include <libelf.h>

#include "elf_code.h"

/* A function as a file tells it. */
typedef struct ElfCandidate {
    ElfFunction function;
    uint64_t limit; /* where one without a size ends at the latest; 0: unknown */
} ElfCandidate;

/* Sets `code`'s functions and objects. A function without a size ends where the next one begins, or with its section.
 */
void elf_symbols_read(ElfCode *code, Elf *elf);

/* Whether a name can be written into a line of text and to a terminal. NULL can't. */
bool elf_symbols_is_good_name(const char *name);

#endif
