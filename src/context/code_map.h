/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a trace tells of code that depends on the process: the attachments `mapped`, `generated` and `same_code`
 * (doc/trace_format.md). Where two programs have the same instruction at the same address, the instruction has one
 * number in the trace. What its process has mapped there tells which program it belongs to.
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

/* A part of a file that was mapped as code, as a CHANGE_MAP of the trace tells it. */
typedef struct MappedPart {
    uint64_t begin, offset, device, inode;
    const char *path;
    uint32_t input; /* in a merged trace: which of its inputs has it */
} MappedPart;

typedef struct MappedLine {
    MappedPart part;
    uint32_t origin; /* number in the code table, plus 1; 0: nothing is known of the file */
} MappedLine;

typedef struct GeneratedLine {
    uint32_t input, pid;
    uint32_t origin; /* has the names of the code that this process has made; as above */
} GeneratedLine;

/* An instruction that another file has, too, at the same address and with the same bytes. */
typedef struct SameCode {
    uint32_t number, origin;
} SameCode;

typedef struct CodeMap {
    GArray *mapped;    /* MappedLine */
    GArray *generated; /* GeneratedLine */
    GArray *same;      /* SameCode; sorted by code_map_sort() */
    GStringChunk *texts;
    GHashTable *origins; /* the set of `mapped`'s lines, each of which is its own key */
} CodeMap;

CodeMap *code_map_new(void);
void code_map_free(CodeMap *map);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CodeMap, code_map_free)

/* Reads what a trace tells. Lines that make no sense are left out. `warns`: an attachment that can't be read is
 * reported on stderr. */
CodeMap *code_map_read(mt_trace *trace, bool warns);

/* Of equal parts, only the first one is added. */
void code_map_add_mapped(CodeMap *map, const MappedPart *part, uint32_t origin);
void code_map_add_generated(CodeMap *map, uint32_t input, uint32_t pid, uint32_t origin);
void code_map_add_same(CodeMap *map, uint32_t number, uint32_t origin);
/* To be called when everything was added, before anything is looked up. */
void code_map_sort(CodeMap *map);

/* The line of a part; NULL if there is none. It belongs to `map`. */
const MappedLine *code_map_find_mapped(const CodeMap *map, const MappedPart *part);
/* The origin that has the names of the code that a process has made: its number in the code table, plus 1; 0: none. */
uint32_t code_map_find_generated(const CodeMap *map, uint32_t input, uint32_t pid);
/* The other files that have the same instruction: *count of them, which belong to `map`. */
const SameCode *code_map_find_same(const CodeMap *map, uint32_t number, size_t *count);

/* Attaches the map to a trace that is being written. After code_map_sort(). */
bool code_map_attach(const CodeMap *map, TraceWriter *writer, GError **error);

#endif
