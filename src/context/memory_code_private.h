/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known of each address space's code. memory_code.c reads it from the changes; memory_code_find.c answers
 * questions. */
#ifndef MEMORY_TRACER_CONTEXT_MEMORY_CODE_PRIVATE_H
#define MEMORY_TRACER_CONTEXT_MEMORY_CODE_PRIVATE_H

#include "memory_code.h"

#define ORIGIN_GENERATED UINT32_MAX /* code that the process has made itself */

typedef struct {
    uint64_t begin, end;
    uint64_t reach; /* the highest `end` of those up to this one; set by sort_stretches() */
    uint32_t origin;
    uint32_t file;   /* which file is mapped there: number in `files`, plus 1; 0: none, or it isn't told */
    uint64_t offset; /* of `begin` in it */
} CodeStretch;

/* A file, and the distance from its offsets to the addresses where it is mapped. */
typedef struct {
    uint64_t distance;
    bool is_mapped, is_several; /* it is mapped at all; it is mapped at several distances */
} CodeFile;

typedef struct {
    GArray *stretches; /* CodeStretch */
    uint32_t input, pid;
    uint32_t parent_pid; /* of the process that it is a copy of; or 0 */
} CodeMemory;

struct MemoryCode {
    const CodeMap *map;
    const CodeTable *table;
    GHashTable *memories; /* CodeMemory by its number */
    GHashTable *inputs;   /* of tasks, by their number */
    GHashTable *pids;     /* likewise */
    GArray *all;          /* CodeStretch: of all memories, each once */
    GArray *files;        /* CodeFile */
    GHashTable *numbers;  /* of files, plus 1, by what tells them apart */
    size_t count;
};

#endif
