/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The variables of an ELF file, as a trace's attachment `data/ID` tells them (doc/trace_format.md). */
#ifndef MEMORY_TRACER_CONTEXT_VARIABLE_TABLE_H
#define MEMORY_TRACER_CONTEXT_VARIABLE_TABLE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* A variable, or a constant that has a name. Addresses are the file's; the byte at `end` is not part of it. */
typedef struct Variable {
    uint64_t begin, end;
    const char *name; /* as the linker has it */
} Variable;

typedef struct VariableTable VariableTable;

/* Parses "begin end name", both numbers hexadecimal. The name points into the line. False if the line isn't of this
 * form. */
bool variable_parse(char *line, Variable *variable);

/* Reads an attachment's contents, and frees them later by free(); NULL: there are none. If the same bytes have several
 * names, one of them is kept; of variables inside variables, the outer ones. */
VariableTable *variable_table_new(char *text);
void variable_table_free(VariableTable *table);

/* The variable at an address. NULL if there is none from *before to *behind - 1, which the address is between. */
const Variable *variable_table_find(const VariableTable *table, uint64_t address, uint64_t *before, uint64_t *behind);
/* All variables, *count of them, sorted by address. They belong to the table. */
const Variable *variable_table_list(const VariableTable *table, guint *count);

#endif
