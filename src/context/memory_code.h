/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What code each address space has where: what the trace's changes tell of mappings, and its code map of their files.
 */
#ifndef MEMORY_TRACER_CONTEXT_MEMORY_CODE_H
#define MEMORY_TRACER_CONTEXT_MEMORY_CODE_H

#include <glib.h>
#include <stdbool.h>

#include "../trace/changes.h"
#include "code_map.h"
#include "code_table.h"

typedef struct MemoryCode MemoryCode;

/* Of a trace; all of it must stay. `changes` may be NULL. */
MemoryCode *memory_code_new(const TraceChanges *changes, const CodeMap *map, const CodeTable *table);
void memory_code_free(MemoryCode *code);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MemoryCode, memory_code_free)

/* Whether it depends on the memory where the instruction of this number, at `pc`, comes from. */
bool memory_code_varies(const MemoryCode *code, uint32_t number, uint64_t pc);

/* The number of the instruction's origin in this memory, plus 1, or 0 if it isn't known. What nothing is known of in
 * this memory is what the code table says. */
uint32_t memory_code_origin(const MemoryCode *code, uint32_t memory, uint32_t number, uint64_t pc);

/* Whether it depends on the memory at which address this instruction lies; and at which one it does in this memory, if
 * it was recorded at `pc`. What isn't known of it, or is mapped several times, lies at `pc`. */
bool memory_code_moves(const MemoryCode *code, uint32_t number, uint64_t pc);
uint64_t memory_code_pc(const MemoryCode *code, uint32_t memory, uint32_t number, uint64_t pc);

/* Appends all origins (uint32_t) that the instruction has in any memory. */
void memory_code_list_origins(const MemoryCode *code, uint32_t number, uint64_t pc, GArray *origins);

#endif
