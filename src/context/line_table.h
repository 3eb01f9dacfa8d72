/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From which source lines a file's code was compiled: the attachment `lines/ID` (doc/trace_format.md). It was made from
 * the file's debug information when the trace was recorded, for the instructions that were executed.
 */
#ifndef MEMORY_TRACER_CONTEXT_LINE_TABLE_H
#define MEMORY_TRACER_CONTEXT_LINE_TABLE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define LINE_TABLE_ATTACHMENT "lines/" /* followed by the file's id, as CODE_TABLE_ELF is */

/* A place in the source. A place in an inlined function has a caller, which may be in an inlined function, too. */
typedef struct LinePlace {
    const char *function; /* the inlined function, by its linker name; NULL: the function that has the symbol */
    const char *file;
    uint32_t line;   /* from 1; 0: unknown */
    uint32_t caller; /* the number of the place that has the call, which is lower than its own; or 0 */
} LinePlace;

typedef struct LineTable LineTable;

LineTable *line_table_new(void);
void line_table_free(LineTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LineTable, line_table_free)

/* Adds a place, unless it is there, and returns its number, from 1 on; 0 if there are too many. Copies the strings. */
uint32_t line_table_add_place(LineTable *table, const LinePlace *place);
/* Gives the code from `begin` to `end` - 1 (addresses of the file) this place, except where it has one already. */
void line_table_add_range(LineTable *table, uint64_t begin, uint64_t end, uint32_t place);
/* Adds what another table says of other code. */
void line_table_add_all(LineTable *table, LineTable *other);

/* The number of the place that the code at this address is of, or 0. */
uint32_t line_table_find(LineTable *table, uint64_t address);
/* A place by its number, or NULL. The table owns it and its strings. */
const LinePlace *line_table_place(const LineTable *table, uint32_t number);

/* The attachment's contents, which the caller unreferences. */
GByteArray *line_table_write(LineTable *table);
/* Reads the attachment, which isn't trusted: the table ends where it makes no sense. */
LineTable *line_table_read(const uint8_t *bytes, size_t count);

#endif
