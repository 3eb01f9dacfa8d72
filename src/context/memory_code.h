/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which code each address space has at which addresses: the trace's changes tell the mappings, the code map tells the
 * files. */
#ifndef MEMORY_TRACER_CONTEXT_MEMORY_CODE_H
#define MEMORY_TRACER_CONTEXT_MEMORY_CODE_H

#include <glib.h>
#include <stdbool.h>

#include "../trace/changes.h"
#include "code_map.h"
#include "code_table.h"

typedef struct MemoryCode MemoryCode;

/* All three are a trace's, and must outlive the result. `changes` may be NULL. */
MemoryCode *memory_code_new(const TraceChanges *changes, const CodeMap *map, const CodeTable *table);
void memory_code_free(MemoryCode *code);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MemoryCode, memory_code_free)

/* Whether the origin of the instruction of this number, recorded at `pc`, depends on the memory (address space). */
bool memory_code_varies(const MemoryCode *code, uint32_t number, uint64_t pc);

/* The number of the instruction's origin in this memory, plus 1, or 0 if it isn't known. Where the memory's mappings
 * tell nothing, the code table's answer is given. */
uint32_t memory_code_origin(const MemoryCode *code, uint32_t memory, uint32_t number, uint64_t pc);

/* Whether the instruction's address depends on the memory; and its address in this memory. `pc` is the address that was
 * recorded; it is the answer, too, if nothing else is known, or if the memory has mapped the code several times. */
bool memory_code_moves(const MemoryCode *code, uint32_t number, uint64_t pc);
uint64_t memory_code_pc(const MemoryCode *code, uint32_t memory, uint32_t number, uint64_t pc);

/* The number of the only origin, plus 1, that the instruction can have in any memory; 0 if there are several, or if any
 * memory has something unknown there. */
uint32_t memory_code_only_origin(const MemoryCode *code, uint32_t number, uint64_t pc);

/* Appends the origins (uint32_t, a number plus 1) that the instruction has in any memory. */
void memory_code_list_origins(const MemoryCode *code, uint32_t number, uint64_t pc, GArray *origins);

#endif
