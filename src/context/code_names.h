/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What code is called, if it is known where it was loaded from: function, source line, inlined functions. */
#ifndef MEMORY_TRACER_CONTEXT_CODE_NAMES_H
#define MEMORY_TRACER_CONTEXT_CODE_NAMES_H

#include <glib.h>

#include "../../include/memory_tracer/trace.h"
#include "code_table.h"
#include "line_table.h"
#include "symbols.h"

/* Who knows the functions and lines of files. */
typedef struct CodeNamesSource {
    void *data;
    /* Adds the functions of what this code was loaded from. */
    void (*add_symbols)(void *data, const CodeOrigin *origin, Symbols *symbols);
    /* The lines of this file's code, for the caller; or NULL. */
    LineTable *(*read_lines)(void *data, const CodeOrigin *origin);
    /* Before the line at `address`, as the file has it, is looked up in such a table: adds it; or NULL. */
    void (*add_lines)(void *data, const CodeOrigin *origin, uint64_t address, LineTable *lines);
} CodeNamesSource;

typedef struct Frames Frames;

typedef struct NamedInstruction {
    struct mt_symbol symbol;
    const char *linker_name; /* of the function; or NULL */
    const char *text;        /* what is shown; or NULL */
    const Frames *frames;    /* or NULL */
} NamedInstruction;

typedef struct CodeNames CodeNames;

CodeNames *code_names_new(const CodeNamesSource *source);
void code_names_free(CodeNames *names);

/* Names the instruction at `pc` of code that was loaded from there; to be freed. Its texts belong to `names`; a text is
 * always the same pointer. */
NamedInstruction *code_names_find(CodeNames *names, const CodeOrigin *origin, uint64_t pc);

/* Appends (const char *) its function as the linker names it, and those that are inlined there. NULL is nothing. */
void code_names_list_functions(const NamedInstruction *named, GPtrArray *to);

#endif
