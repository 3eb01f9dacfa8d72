/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The symbols that a distribution leaves in a stripped program, compressed (.gnu_debugdata, "MiniDebugInfo"). */
#ifndef MEMORY_TRACER_CONTEXT_ELF_MINI_DEBUG_H
#define MEMORY_TRACER_CONTEXT_ELF_MINI_DEBUG_H

#include <libelf.h>

/* Decompresses and opens them; NULL if there are none. The result reads from *buffer: the caller ends it by elf_end(),
 * and frees the buffer after that. */
Elf *elf_mini_debug_open(Elf *elf, char **buffer);

#endif
