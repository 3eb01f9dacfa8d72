/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The numbers of instructions: with MT_FIELD_INSTRUCTION, each record says which instruction made it. That costs
 * nothing, because the number is known when the instruction is translated. An instruction that is translated again
 * keeps its number.
 */
#include <string.h>

#include "plugin.h"

static GMutex lock;         /* several vCPUs may translate at once */
static GHashTable *numbers; /* by struct mt_instruction; the keys are in the ring's table */

static guint hash_instruction(gconstpointer key)
{
    const struct mt_instruction *instruction = key;
    uint64_t hash, bytes;

    memcpy(&bytes, instruction->bytes, sizeof bytes);
    hash = (instruction->pc + instruction->cpl) * UINT64_C(0x9e3779b97f4a7c15) + bytes;
    return (guint)((hash * UINT64_C(0xc2b2ae3d27d4eb4f)) >> 32);
}

static gboolean same_instruction(gconstpointer a, gconstpointer b)
{
    return !memcmp(a, b, sizeof(struct mt_instruction));
}

uint32_t instruction_number(const struct qemu_plugin_insn *insn, unsigned cpl)
{
    struct mt_instruction key = { .pc = qemu_plugin_insn_vaddr(insn),
                                  .cpl = (uint8_t)cpl,
                                  .mode = (uint8_t)mode_of_translation() };
    uint32_t number;

    key.length = (uint8_t)qemu_plugin_insn_data(insn, key.bytes, sizeof key.bytes);
    g_mutex_lock(&lock);
    if (!numbers)
        numbers = g_hash_table_new(hash_instruction, same_instruction);
    number = GPOINTER_TO_UINT(g_hash_table_lookup(numbers, &key));
    if (!number) {
        number = ring_add_instruction(plugin.ring, &key);
        if (number)
            g_hash_table_insert(numbers, (gpointer)ring_get_instruction(plugin.ring, number), GUINT_TO_POINTER(number));
    }
    g_mutex_unlock(&lock);
    return number;
}
