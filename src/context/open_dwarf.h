/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file's debug information, or that of its separate file. */
#ifndef MEMORY_TRACER_CONTEXT_OPEN_DWARF_H
#define MEMORY_TRACER_CONTEXT_OPEN_DWARF_H

#include <elfutils/libdw.h>

#include "elf_code.h"

typedef struct OpenDwarf {
    int fd, other_fd;     /* -1: closed */
    Elf *elf, *other_elf; /* or NULL */
    Dwarf *dwarf;         /* NULL: there is none */
} OpenDwarf;

/* `whole`: reads the files into memory, so that they needn't stay open. */
OpenDwarf open_dwarf_begin(const ElfCode *code, bool whole);
/* Closes the files, if they were read as a whole. */
void open_dwarf_close_files(OpenDwarf *open);
void open_dwarf_end(OpenDwarf *open);
/* Ends it, and makes it one that has nothing and may be ended once more. */
void open_dwarf_clear(OpenDwarf *open);

#endif
