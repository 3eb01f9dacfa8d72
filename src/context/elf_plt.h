/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The procedure linkage table: the few instructions through which a program calls a function of a library. */
#ifndef MEMORY_TRACER_CONTEXT_ELF_PLT_H
#define MEMORY_TRACER_CONTEXT_ELF_PLT_H

#include <libelf.h>

#include "elf_symbols.h"

/* Adds each entry to `candidates` (ElfCandidate) as "malloc@plt". */
void elf_plt_add(ElfCode *code, Elf *elf, GArray *candidates);

#endif
