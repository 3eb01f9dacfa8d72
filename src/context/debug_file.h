/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Separate debug files: they have the symbols and the debug information that were stripped from a program. */
#ifndef MEMORY_TRACER_CONTEXT_DEBUG_FILE_H
#define MEMORY_TRACER_CONTEXT_DEBUG_FILE_H

#include <libelf.h>

/* Where distributions install them, under .build-id and the program's path. */
#define DEBUG_FILE_FOLDER "/usr/lib/debug"

/* Opens the debug file of the ELF file at `path`, which is open as `elf`. It is looked for by build-id in `folder`;
 * then by .gnu_debuglink beside the program, in .debug there, and below `folder`. It must have the same build-id, or
 * the checksum that the link tells. Returns a descriptor that the caller closes, or -1 if there is no such file. */
int debug_file_open(const char *path, Elf *elf, const char *folder);

/* Opens the file that has the debug information of the ELF file at `path`: that one itself, or its separate file as
 * above. Returns a descriptor, or -1 if there is none. */
int debug_file_find(const char *path, const char *folder);

#endif
