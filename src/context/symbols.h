/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names for addresses of code. */
#ifndef MEMORY_TRACER_CONTEXT_SYMBOLS_H
#define MEMORY_TRACER_CONTEXT_SYMBOLS_H

#include <glib.h>
#include <stdint.h>

typedef struct Symbols Symbols;

Symbols *symbols_new(void);
void symbols_free(Symbols *symbols);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Symbols, symbols_free)

/* Adds what /proc/kallsyms says. Lines that make no sense are left out. */
void symbols_add_kallsyms(Symbols *symbols, const char *text);
/* Adds the functions of an ELF file whose addresses are shifted by `bias` in memory. A file that isn't there, or has
 * none, adds nothing but its own name. */
void symbols_add_elf(Symbols *symbols, const char *path, uint64_t bias);

/* The last symbol at or below `address`, in its half of the address space. Returns its name, which belongs to
 * `symbols`, and the distance, or NULL. */
const char *symbols_find(Symbols *symbols, uint64_t address, uint64_t *offset);

#endif
