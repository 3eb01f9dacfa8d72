/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What memory_tracer dump tells of an instruction: its address, its names and its disassembly, made once for each. */
#ifndef MEMORY_TRACER_CMD_DUMP_CODE_H
#define MEMORY_TRACER_CMD_DUMP_CODE_H

#include "../context/names.h"

typedef struct DumpedCode {
    const struct mt_instruction *instruction;
    uint64_t pc; /* where it was executed: the process may have it elsewhere than where it was recorded */
    const struct mt_symbol *symbol; /* or NULL */
    char *place;                    /* "function+0x12"; or NULL */
    char *disassembly;
    bool tells_pc; /* the disassembly is another one at another address */
} DumpedCode;

typedef struct DumpCode DumpCode;

/* The trace must stay. NULL with an error if the disassembler can't be used. */
DumpCode *dump_code_new(mt_trace *trace, GError **error);
void dump_code_free(DumpCode *code);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DumpCode, dump_code_free)

/* The instruction of the batch's record, which belongs to `code` and is valid until the next call; NULL if it isn't
 * known. The batch has its tasks, if the trace has any. */
const DumpedCode *dump_code_find(DumpCode *code, const struct mt_batch *batch, size_t i);

#endif
