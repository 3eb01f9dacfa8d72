/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The separate file that has what was stripped from a program: its symbols and debug information. */
#ifndef MEMORY_TRACER_CONTEXT_DEBUG_FILE_H
#define MEMORY_TRACER_CONTEXT_DEBUG_FILE_H

#include <libelf.h>

/* Where distributions install them, under .build-id and the program's path. */
#define DEBUG_FILE_FOLDER "/usr/lib/debug"

/* Opens that of the ELF file at `path`, which is open as `elf`: by its build-id in `folder`; or by its .gnu_debuglink
 * beside the program, in .debug there, and below `folder`. It must have the same build-id, or the checksum that the
 * link tells. Returns a descriptor, or -1 if there is none. */
int debug_file_open(const char *path, Elf *elf, const char *folder);

#endif
