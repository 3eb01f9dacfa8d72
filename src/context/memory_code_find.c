/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an instruction is in an address space: see memory_code.h. */
#include "memory_code_private.h"

/* The index of the first stretch that begins above the address. */
static guint first_above(const GArray *list, uint64_t pc)
{
    guint first = 0, end = list->len;

    while (first < end) {
        guint middle = first + (end - first) / 2;

        if (g_array_index(list, CodeStretch, middle).begin <= pc)
            first = middle + 1;
        else
            end = middle;
    }
    return first;
}

/* Whether the trace says that the instruction is of this origin; for origin 0, whether it says of none. */
static bool has_origin(const MemoryCode *code, uint32_t number, uint32_t origin)
{
    size_t count;
    const SameCode *same = code_map_find_same(code->map, number, &count);

    if (code_table_owner(code->table, number) == origin)
        return true;
    for (size_t i = 0; i < count; i++)
        if (same[i].origin == origin)
            return true;
    return false;
}

/* Whether the instruction may be of this origin, which isn't 0. Any may be of code that a process has made, as no file
 * has that to compare with. */
static bool can_be(const MemoryCode *code, uint32_t number, uint32_t origin)
{
    const CodeOrigin *of = code->table->origins->pdata[origin - 1];

    return has_origin(code, number, origin) || g_str_has_prefix(of->attachment, CODE_TABLE_GENERATED);
}

bool memory_code_varies(const MemoryCode *code, uint32_t number, uint64_t pc)
{
    uint32_t owner = code_table_owner(code->table, number);

    for (guint i = first_above(code->all, pc); i > 0; i--) {
        const CodeStretch *stretch = &g_array_index(code->all, CodeStretch, i - 1);

        if (stretch->reach <= pc)
            break;
        if (stretch->end > pc && stretch->origin != owner)
            return true;
    }
    return false;
}

/* Whether two origins are the same file, loaded at whichever address. */
static bool same_file(const MemoryCode *code, uint32_t one, uint32_t other)
{
    const CodeOrigin *x = code->table->origins->pdata[one - 1], *y = code->table->origins->pdata[other - 1];

    return one == other || (!strcmp(x->attachment, y->attachment) && !strcmp(x->path, y->path));
}

static bool maps_file(const MemoryCode *code, const CodeMemory *memory, uint32_t origin)
{
    for (guint i = 0; i < memory->stretches->len; i++) {
        uint32_t mapped = g_array_index(memory->stretches, CodeStretch, i).origin;

        if (mapped && same_file(code, mapped, origin))
            return true;
    }
    return false;
}

/*
 * QEMU translates a page of a file once (CF_PCREL). Where several processes have mapped it at different addresses, they
 * all execute this translation, and the recorded address is that of the first process. So an instruction may be of any
 * file that the memory has mapped, at whichever address. *found is the origin that was found before, or 0, and becomes
 * the origin that is found here. Returns false if several files are possible.
 */
static bool find_elsewhere(const MemoryCode *code, const CodeMemory *memory, uint32_t number, uint32_t *found)
{
    size_t count;
    const SameCode *same = code_map_find_same(code->map, number, &count);

    for (size_t i = 0; i <= count; i++) {
        uint32_t origin = i ? same[i - 1].origin : code_table_owner(code->table, number);

        if (!origin || origin > code->table->origins->len || !maps_file(code, memory, origin))
            continue;
        if (*found && !same_file(code, *found, origin))
            return false;
        if (!*found)
            *found = origin;
    }
    return true;
}

/* Sets *found to the origin of what the memory has mapped at the instruction's address, if the instruction may be of
 * it; *covered to true if the memory has mapped anything there. Returns false if several origins are possible, or if
 * something unknown is mapped there. */
static bool find_there(const MemoryCode *code, const CodeMemory *memory, uint32_t number, uint64_t pc, uint32_t *found,
                       bool *covered)
{
    for (guint i = first_above(memory->stretches, pc); i > 0; i--) {
        const CodeStretch *stretch = &g_array_index(memory->stretches, CodeStretch, i - 1);

        if (stretch->reach <= pc)
            break;
        if (stretch->end <= pc)
            continue;
        *covered = true;
        if (!stretch->origin)
            return false;
        if (!can_be(code, number, stretch->origin) || *found == stretch->origin)
            continue;
        if (*found)
            return false;
        *found = stretch->origin;
    }
    return true;
}

uint32_t memory_code_origin(const MemoryCode *code, uint32_t memory, uint32_t number, uint64_t pc)
{
    const CodeMemory *of = memory ? g_hash_table_lookup(code->memories, GUINT_TO_POINTER(memory)) : NULL;
    bool covered = false;
    uint32_t found = 0;

    if (!of || !of->stretches->len)
        return code_table_owner(code->table, number);
    if (!find_there(code, of, number, pc, &found, &covered))
        return 0;
    if (!covered)
        return code_table_owner(code->table, number);
    return find_elsewhere(code, of, number, &found) ? found : 0;
}

/* The next stretch of any memory, from index *i - 1 downwards, that has the instruction in a file at `pc`; NULL if none
 * is left. */
static const CodeStretch *next_recorded(const MemoryCode *code, uint32_t number, uint64_t pc, guint *i)
{
    while (*i > 0) {
        const CodeStretch *stretch = &g_array_index(code->all, CodeStretch, --*i);

        if (stretch->reach <= pc)
            return NULL;
        if (stretch->end > pc && stretch->file && has_origin(code, number, stretch->origin))
            return stretch;
    }
    return NULL;
}

bool memory_code_moves(const MemoryCode *code, uint32_t number, uint64_t pc)
{
    guint i = first_above(code->all, pc);
    const CodeStretch *recorded;

    while ((recorded = next_recorded(code, number, pc, &i)))
        if (g_array_index(code->files, CodeFile, recorded->file - 1).is_several)
            return true;
    return false;
}

/* Sets *at to the address where a memory has the byte at `offset` of a file. *at is the address that was found before,
 * or 0. Returns false if there are several such addresses. */
static bool find_place(const CodeMemory *memory, uint32_t file, uint64_t offset, uint64_t *at)
{
    for (guint i = 0; i < memory->stretches->len; i++) {
        const CodeStretch *stretch = &g_array_index(memory->stretches, CodeStretch, i);
        uint64_t place = offset - stretch->offset + stretch->begin;

        if (stretch->file != file || place < stretch->begin || place >= stretch->end || place == *at)
            continue;
        if (*at)
            return false;
        *at = place;
    }
    return true;
}

uint64_t memory_code_pc(const MemoryCode *code, uint32_t memory, uint32_t number, uint64_t pc)
{
    const CodeMemory *of = memory ? g_hash_table_lookup(code->memories, GUINT_TO_POINTER(memory)) : NULL;
    guint i = first_above(code->all, pc);
    const CodeStretch *recorded;
    bool covered = false;
    uint32_t found = 0;
    uint64_t at = 0;

    if (!of || !find_there(code, of, number, pc, &found, &covered) || found)
        return pc;
    while ((recorded = next_recorded(code, number, pc, &i)))
        if (!find_place(of, recorded->file, pc - recorded->begin + recorded->offset, &at))
            return pc;
    return at ? at : pc;
}

uint32_t memory_code_only_origin(const MemoryCode *code, uint32_t number, uint64_t pc)
{
    uint32_t found = 0;

    for (guint i = first_above(code->all, pc); i > 0; i--) {
        const CodeStretch *stretch = &g_array_index(code->all, CodeStretch, i - 1);

        if (stretch->reach <= pc)
            break;
        if (stretch->end <= pc || stretch->origin == found)
            continue;
        if (!stretch->origin)
            return 0;
        if (!can_be(code, number, stretch->origin))
            continue;
        if (found)
            return 0;
        found = stretch->origin;
    }
    return found;
}

static void add_once(GArray *origins, uint32_t origin)
{
    for (guint i = 0; i < origins->len; i++)
        if (g_array_index(origins, uint32_t, i) == origin)
            return;
    g_array_append_val(origins, origin);
}

void memory_code_list_origins(const MemoryCode *code, uint32_t number, uint64_t pc, GArray *origins)
{
    uint32_t owner = code_table_owner(code->table, number);

    if (owner)
        add_once(origins, owner);
    for (guint i = first_above(code->all, pc); i > 0; i--) {
        const CodeStretch *stretch = &g_array_index(code->all, CodeStretch, i - 1);

        if (stretch->reach <= pc)
            break;
        if (stretch->end > pc && stretch->origin && can_be(code, number, stretch->origin))
            add_once(origins, stretch->origin);
    }
}
