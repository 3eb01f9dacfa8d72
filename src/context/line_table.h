/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From which source lines a file's code was compiled: the attachment `lines/ID` (doc/trace_format.md). It was made of
 * the file's debug information when the trace was recorded, for the instructions that were executed.
 */
#ifndef MEMORY_TRACER_CONTEXT_LINE_TABLE_H
#define MEMORY_TRACER_CONTEXT_LINE_TABLE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define LINE_TABLE_ATTACHMENT "lines/" /* followed by what follows CODE_TABLE_ELF in the name of the file's symbols */

/* A place in the source. One that was inlined is called from another one, and so on. */
typedef struct LinePlace {
    const char *function; /* that was inlined here, as the linker would name it; NULL: the one whose code it is */
    const char *file;
    uint32_t line;   /* from 1; 0: unknown */
    uint32_t caller; /* the number of the place that has the call, which is lower than its own; or 0 */
} LinePlace;

typedef struct LineTable LineTable;

LineTable *line_table_new(void);
void line_table_free(LineTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LineTable, line_table_free)

/* Returns the place's number, from 1 on: the same one for the same place. Copies the strings. `function` may be NULL.
 * 0 if there are too many. */
uint32_t line_table_add_place(LineTable *table, const LinePlace *place);
/* The code at `begin` to `end` - 1 (as the file has it) is of this place. What was added before stays. */
void line_table_add_range(LineTable *table, uint64_t begin, uint64_t end, uint32_t place);
/* Adds what another table says of other code. */
void line_table_add_all(LineTable *table, LineTable *other);

/* The number of the place that the code at this address is of, or 0. */
uint32_t line_table_find(LineTable *table, uint64_t address);
/* By its number, or NULL. It belongs to the table, with its strings. */
const LinePlace *line_table_place(const LineTable *table, uint32_t number);

/* The attachment; to be unreferenced. */
GByteArray *line_table_write(LineTable *table);
/* The attachment isn't trusted: where it makes no sense, the table ends. */
LineTable *line_table_read(const uint8_t *bytes, size_t count);

#endif
