/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The variables of an ELF file, as a trace's attachment `data/ID` tells them (doc/trace_format.md). */
#ifndef MEMORY_TRACER_CONTEXT_VARIABLE_TABLE_H
#define MEMORY_TRACER_CONTEXT_VARIABLE_TABLE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Addresses are the file's. */
typedef struct Variable {
    uint64_t begin, end;
    const char *name; /* as the linker has it */
} Variable;

typedef struct VariableTable VariableTable;

/* "begin end name", hexadecimal. The name stays in the line. False if it is something else. */
bool variable_parse(char *line, Variable *variable);

/* Of an attachment's contents, which it takes (malloc()); NULL: none. Of several names of the same bytes it has one,
 * and of variables in variables the outer ones. */
VariableTable *variable_table_new(char *text);
void variable_table_free(VariableTable *table);

/* The variable at an address; or NULL, and then *before and *behind are where none is: from one to the next. */
const Variable *variable_table_find(const VariableTable *table, uint64_t address, uint64_t *before, uint64_t *behind);
/* All of them, by address. */
const Variable *variable_table_list(const VariableTable *table, guint *count);

#endif
