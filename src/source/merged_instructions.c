/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Several traces' instructions: see merged_instructions.h. */
#include "merged_instructions.h"

#include <string.h>

typedef struct {
    const struct mt_instruction *instruction; /* belongs to its trace */
    uint32_t origin, number;
} KnownInstruction;

static guint hash_instruction(gconstpointer key)
{
    const KnownInstruction *known = key;

    return (guint)((known->instruction->pc + known->origin) * UINT64_C(0x9e3779b97f4a7c15) >> 32) +
           known->instruction->bytes[0];
}

static gboolean same_instruction(gconstpointer a, gconstpointer b)
{
    const KnownInstruction *known = a, *other = b;
    const struct mt_instruction *x = known->instruction, *y = other->instruction;

    return known->origin == other->origin && x->pc == y->pc && x->cpl == y->cpl && x->mode == y->mode &&
           x->length == y->length && !memcmp(x->bytes, y->bytes, sizeof x->bytes);
}

/* Returns its number in the new trace. */
static uint32_t add_instruction(MergedInstructions *instructions, const struct mt_instruction *instruction,
                                uint32_t origin)
{
    KnownInstruction key = { .instruction = instruction, .origin = origin };
    const KnownInstruction *known = g_hash_table_lookup(instructions->known, &key);
    struct mt_instruction copy = {
        .pc = instruction->pc, .cpl = instruction->cpl, .length = instruction->length, .mode = instruction->mode
    };

    if (known)
        return known->number;
    memcpy(copy.bytes, instruction->bytes, sizeof copy.bytes);
    g_array_append_val(instructions->all, copy);
    merged_code_add_instruction(instructions->code, origin);
    key.number = instructions->all->len;
    g_hash_table_add(instructions->known, g_memdup2(&key, sizeof key));
    return key.number;
}

void merged_instructions_add(MergedInstructions *instructions, mt_trace *trace, uint32_t first_input, uint32_t inputs)
{
    uint32_t count = mt_trace_instructions(trace);
    uint32_t *map = g_new0(uint32_t, (gsize)count + 1);
    guint input = instructions->maps->len;

    merged_code_add_input(instructions->code, trace, first_input, inputs);
    for (uint32_t i = 1; i <= count; i++) {
        const struct mt_instruction *instruction = mt_trace_instruction(trace, i);

        if (!instruction)
            continue;
        map[i] = add_instruction(instructions, instruction, merged_code_origin(instructions->code, input, i));
        merged_code_add_same(instructions->code, input, i, map[i]);
    }
    g_ptr_array_add(instructions->maps, map);
}

void merged_instructions_init(MergedInstructions *instructions)
{
    instructions->known = g_hash_table_new_full(hash_instruction, same_instruction, g_free, NULL);
    instructions->code = merged_code_new();
    instructions->all = g_array_new(FALSE, FALSE, sizeof(struct mt_instruction));
    instructions->maps = g_ptr_array_new_with_free_func(g_free);
}

void merged_instructions_clear(MergedInstructions *instructions)
{
    g_hash_table_unref(instructions->known);
    g_array_unref(instructions->all);
    g_ptr_array_unref(instructions->maps);
    merged_code_free(instructions->code);
}
