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
/* Adds functions, a line each: address and end (the first byte behind the function) in hexadecimal, and the name. Lines
 * that make no sense are left out. */
void symbols_add_functions(Symbols *symbols, const char *text);

/* The name of the innermost symbol that covers `address`, and in *offset the bytes from its beginning. A symbol without
 * an end reaches up to the next one in the same half of the address space. NULL if no symbol covers the address. The
 * name belongs to `symbols`. */
const char *symbols_find(Symbols *symbols, uint64_t address, uint64_t *offset);

#endif
