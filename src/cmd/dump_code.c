/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names and disassembly of instructions: see dump_code.h. */
#include "dump_code.h"

#include <capstone/capstone.h>
#include <string.h>

#include "../base/error.h"

#define MODES 3

struct DumpCode {
    mt_trace *trace;
    Names *names;
    csh disassemblers[MODES]; /* by mode_number() */
    GPtrArray *known;         /* DumpedCode by its number; NULL: not made yet */
    GHashTable *varying;      /* the same by `memory << 32 | number`, of those whose names depend on the memory */
    DumpedCode moved;         /* the last one that was executed elsewhere than where it was recorded */
    char *moved_disassembly;  /* its own; or NULL */
};

static void free_dumped(void *data)
{
    DumpedCode *dumped = data;

    if (!dumped)
        return;
    g_free(dumped->place);
    g_free(dumped->disassembly);
    g_free(dumped);
}

static bool open_disassemblers(DumpCode *code, GError **error)
{
    static const cs_mode modes[MODES] = { CS_MODE_16, CS_MODE_32, CS_MODE_64 };

    for (unsigned i = 0; i < MODES; i++)
        if (cs_open(CS_ARCH_X86, modes[i], &code->disassemblers[i]) != CS_ERR_OK)
            return mt_fail(error, "capstone can't be used");
    return true;
}

DumpCode *dump_code_new(mt_trace *trace, GError **error)
{
    g_autoptr(DumpCode) code = g_new0(DumpCode, 1);

    code->trace = trace;
    code->names = names_new(trace, true);
    code->known = g_ptr_array_new_with_free_func(free_dumped);
    code->varying = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, free_dumped);
    return open_disassemblers(code, error) ? g_steal_pointer(&code) : NULL;
}

void dump_code_free(DumpCode *code)
{
    if (!code)
        return;
    for (unsigned i = 0; i < MODES; i++)
        if (code->disassemblers[i])
            cs_close(&code->disassemblers[i]);
    g_ptr_array_unref(code->known);
    g_hash_table_unref(code->varying);
    g_free(code->moved_disassembly);
    names_free(code->names);
    g_free(code);
}

/* The index of its disassembler: for code of 16, 32 or 64 bits. */
static unsigned mode_number(const struct mt_instruction *instruction)
{
    return instruction->mode == MT_MODE_16 ? 0 : instruction->mode == MT_MODE_32 ? 1 : 2;
}

/* "mov rax, qword ptr [rdi]"; at `pc`, as a call says where it goes to. */
static char *disassemble(const DumpCode *code, const struct mt_instruction *instruction, uint64_t pc)
{
    csh disassembler = code->disassemblers[mode_number(instruction)];
    GString *text = g_string_new(NULL);
    cs_insn *decoded;
    size_t count = cs_disasm(disassembler, instruction->bytes, instruction->length, pc, 1, &decoded);

    if (count) {
        g_string_append_printf(text, "%s %s", decoded->mnemonic, decoded->op_str);
        cs_free(decoded, count);
    } else {
        g_string_append(text, ".byte");
        for (unsigned i = 0; i < instruction->length; i++)
            g_string_append_printf(text, " %02x", instruction->bytes[i]);
    }
    return g_string_free(text, FALSE);
}

static DumpedCode *make_dumped(DumpCode *code, const struct mt_instruction *instruction, uint32_t memory,
                               uint32_t number)
{
    DumpedCode *dumped = g_new0(DumpedCode, 1);
    uint64_t offset;
    const char *function = names_of_instruction_in(code->names, memory, number, &offset);

    dumped->instruction = instruction;
    dumped->pc = instruction->pc;
    dumped->symbol = names_symbol_in(code->names, memory, number);
    dumped->place = function ? g_strdup_printf("%s+0x%" G_GINT64_MODIFIER "x", function, offset) : NULL;
    dumped->disassembly = disassemble(code, instruction, dumped->pc);
    if (names_pc_varies(code->names, number)) {
        g_autofree char *elsewhere = disassemble(code, instruction, dumped->pc + 1);

        dumped->tells_pc = strcmp(dumped->disassembly, elsewhere);
    }
    return dumped;
}

/* For an instruction whose program depends on the memory (address space). */
static const DumpedCode *find_varying(DumpCode *code, const struct mt_instruction *instruction, uint32_t memory,
                                      uint32_t number)
{
    uint64_t key = (uint64_t)memory << 32 | number;
    DumpedCode *dumped = g_hash_table_lookup(code->varying, &key);

    if (!dumped) {
        dumped = make_dumped(code, instruction, memory, number);
        g_hash_table_insert(code->varying, g_memdup2(&key, sizeof key), dumped);
    }
    return dumped;
}

static const DumpedCode *find_in(DumpCode *code, const struct mt_instruction *instruction, uint32_t memory,
                                 uint32_t number)
{
    if (names_vary(code->names, number))
        return find_varying(code, instruction, memory, number);
    if (number >= code->known->len)
        g_ptr_array_set_size(code->known, (gint)MAX(mt_trace_instructions(code->trace), number) + 1);
    if (!code->known->pdata[number])
        code->known->pdata[number] = make_dumped(code, instruction, 0, number);
    return code->known->pdata[number];
}

/* The same at another address. There may be very many of these, so only the last one is kept. */
static const DumpedCode *move(DumpCode *code, const DumpedCode *dumped, uint64_t pc)
{
    code->moved = *dumped;
    code->moved.pc = pc;
    if (dumped->tells_pc) {
        g_free(code->moved_disassembly);
        code->moved.disassembly = code->moved_disassembly = disassemble(code, dumped->instruction, pc);
    }
    return &code->moved;
}

const DumpedCode *dump_code_find(DumpCode *code, const struct mt_batch *batch, size_t i)
{
    uint32_t number = batch->instruction ? batch->instruction[i] : 0, memory = 0;
    const struct mt_instruction *instruction = mt_trace_instruction(code->trace, number);
    const DumpedCode *dumped;
    uint64_t pc;

    if (!instruction)
        return NULL;
    if (names_vary(code->names, number) || names_pc_varies(code->names, number))
        memory = names_memory_at(code->names, batch, i);
    dumped = find_in(code, instruction, memory, number);
    pc = names_pc_in(code->names, memory, number);
    return pc == dumped->pc ? dumped : move(code, dumped, pc);
}
