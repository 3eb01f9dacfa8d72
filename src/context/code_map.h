/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a trace tells of code that depends on the process: the attachments `mapped`, `generated` and `same_code`
 * (doc/trace_format.md). Where two programs have the same instruction at the same address, it has one number; which of
 * them it is of is known by what its process has mapped there.
 */
#ifndef MEMORY_TRACER_CONTEXT_CODE_MAP_H
#define MEMORY_TRACER_CONTEXT_CODE_MAP_H

#include <glib.h>
#include <stdbool.h>

#include "../../include/memory_tracer/trace.h"
#include "../trace/writer.h"

#define CODE_MAP_MAPPED "mapped"
#define CODE_MAP_GENERATED "generated"
#define CODE_MAP_SAME_CODE "same_code"
#define CODE_MAP_LINES_MAX 65536
#define CODE_MAP_SAME_MAX (1u << 23)

/* A part of a file that was mapped as code: as a change of the trace says it (CHANGE_MAP). */
typedef struct MappedPart {
    uint64_t begin, offset, device, inode;
    const char *path;
    uint32_t input; /* of a merged trace: in which of its inputs */
} MappedPart;

typedef struct MappedLine {
    MappedPart part;
    uint32_t origin; /* number in the code table, plus 1; 0: nothing is known of the file */
} MappedLine;

typedef struct GeneratedLine {
    uint32_t input, pid;
    uint32_t origin; /* what the code that this process has made is named by; as above */
} GeneratedLine;

/* An instruction that is also that of another file. */
typedef struct SameCode {
    uint32_t number, origin;
} SameCode;

typedef struct CodeMap {
    GArray *mapped;    /* MappedLine */
    GArray *generated; /* GeneratedLine */
    GArray *same;      /* SameCode; sorted by code_map_sort() */
    GStringChunk *texts;
    GHashTable *origins; /* of `mapped`: MappedLine by itself */
} CodeMap;

CodeMap *code_map_new(void);
void code_map_free(CodeMap *map);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CodeMap, code_map_free)

/* What a trace tells. Where it makes no sense, it tells nothing. `warns`: on standard error, of what can't be read. */
CodeMap *code_map_read(mt_trace *trace, bool warns);

/* The first one counts of parts that are the same. */
void code_map_add_mapped(CodeMap *map, const MappedPart *part, uint32_t origin);
void code_map_add_generated(CodeMap *map, uint32_t input, uint32_t pid, uint32_t origin);
void code_map_add_same(CodeMap *map, uint32_t number, uint32_t origin);
/* Before anything is looked up. */
void code_map_sort(CodeMap *map);

/* The line of a part; NULL if nothing is said of it. */
const MappedLine *code_map_find_mapped(const CodeMap *map, const MappedPart *part);
/* What the code that a process has made is named by: its number, plus 1, or 0. */
uint32_t code_map_find_generated(const CodeMap *map, uint32_t input, uint32_t pid);
/* The other files that have the same instruction; `count` of them. */
const SameCode *code_map_find_same(const CodeMap *map, uint32_t number, size_t *count);

/* Attaches it, after code_map_sort(). */
bool code_map_attach(const CodeMap *map, TraceWriter *writer, GError **error);

#endif
