/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sections of an ELF file by their names. The file is not trusted. */
#ifndef MEMORY_TRACER_CONTEXT_ELF_SECTION_H
#define MEMORY_TRACER_CONTEXT_ELF_SECTION_H

#include <gelf.h>

/* The first section of this name whose contents are in the file, and its header; NULL if there is none. */
Elf_Scn *elf_section_find(Elf *elf, const char *name, GElf_Shdr *header);

#endif
