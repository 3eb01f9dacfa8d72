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
/* Adds functions, a line each: address and end (which is not part of it) in hexadecimal, name. Likewise. */
void symbols_add_functions(Symbols *symbols, const char *text);

/* The symbol that covers `address`: the innermost one, or the last one below if it has no end and is in the same half
 * of the address space. Returns its name, which belongs to `symbols`, and the distance, or NULL. */
const char *symbols_find(Symbols *symbols, uint64_t address, uint64_t *offset);

#endif
