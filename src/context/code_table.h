/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a trace tells of where its code was loaded from: the attachments `loaded` and `code` (doc/trace_format.md). They
 * were made when the trace was recorded. Names come from nothing else, because the files on this machine may have
 * changed since.
 */
#ifndef MEMORY_TRACER_CONTEXT_CODE_TABLE_H
#define MEMORY_TRACER_CONTEXT_CODE_TABLE_H

#include <glib.h>
#include <stdbool.h>

#include "../../include/memory_tracer/trace.h"

#define CODE_TABLE_LOADED "loaded"
#define CODE_TABLE_CODE "code"
#define CODE_TABLE_KALLSYMS "kallsyms"
#define CODE_TABLE_ELF "elf/"   /* followed by the file's id */
#define CODE_TABLE_DATA "data/" /* likewise */
/* The file that has the debug information of the files with this id. */
#define CODE_TABLE_DEBUG "debug/"
/* Code that a process has made itself; followed by the process's pid. */
#define CODE_TABLE_GENERATED "jit/"
#define CODE_TABLE_ORIGINS_MAX 4096

/* Where code comes from: a file, loaded somewhere, or a kernel. */
typedef struct CodeOrigin {
    uint64_t bias;    /* what was added to the addresses of its symbols */
    char *attachment; /* that has its symbols */
    char *path;       /* of the file on the recording machine; without a slash: a word for what is no file */
} CodeOrigin;

typedef struct CodeTable {
    GPtrArray *origins; /* of CodeOrigin */
    GArray *owners;     /* uint32_t for each instruction, that of number 1 first: its origin's number plus 1, or 0 */
    bool is_told;       /* whether the trace has these attachments; without them only its kernel is known */
} CodeTable;

CodeTable *code_table_new(void);
void code_table_free(CodeTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CodeTable, code_table_free)

/* Reads what a trace tells. What follows a line that makes no sense is left out. `warns`: an attachment that can't be
 * read is reported on stderr. */
CodeTable *code_table_read(mt_trace *trace, bool warns);

/* Returns the new origin's number, plus 1, or 0 if there are too many. */
uint32_t code_table_add_origin(CodeTable *table, uint64_t bias, const char *attachment, const char *path);
/* The number of an instruction's origin, plus 1, or 0 if it isn't known; and the origin, or NULL. Instructions are
 * counted from 1. */
uint32_t code_table_owner(const CodeTable *table, uint32_t number);
const CodeOrigin *code_table_origin(const CodeTable *table, uint32_t number);
/* The contents of the attachments, which the caller frees. */
char *code_table_loaded(const CodeTable *table);
GByteArray *code_table_code(const CodeTable *table);

#endif
