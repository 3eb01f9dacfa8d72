/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names for a trace's instructions: see names.h. */
#include "names.h"

#include <stdlib.h>
#include <string.h>

#include "../record/x86.h"
#include "../trace/events.h"
#include "../trace/file.h"
#include "attachment.h"
#include "code_map.h"
#include "code_names.h"
#include "memory_code.h"

/* Where an instruction lies in a memory. */
typedef struct {
    uint32_t memory, number; /* number 0: nothing */
    uint64_t pc;
} KnownPc;

struct Names {
    mt_trace *trace;
    bool warns;
    CodeTable *table;
    CodeMap *map;
    MemoryCode *memories;
    TaskMemory *tasks;
    CodeNames *texts;
    GPtrArray *instructions; /* NamedInstruction by number, as the table has it; NULL: not looked for yet */
    GHashTable *others;      /* NamedInstruction by OtherKey: as origins other than the table's name them */
    uint8_t *facts;          /* by number: FACT_ */
    uint32_t facts_room;
    KnownPc *pcs; /* a hash table without chains, of the last questions; NULL before the first one */
};

/* Bits of `facts`. FACT_KNOWN: the other bits have been found. */
enum { FACT_KNOWN = 1, FACT_NAMES_VARY = 2, FACT_PC_VARIES = 4 };

#define PCS_BITS 16

typedef struct {
    uint32_t number, origin;
} OtherKey;

static guint hash_other(gconstpointer data)
{
    const OtherKey *key = data;

    return key->number * 2654435761u ^ key->origin;
}

static gboolean equal_others(gconstpointer a, gconstpointer b)
{
    return !memcmp(a, b, sizeof(OtherKey));
}

/* What the trace tells of files. */

static void add_symbols(void *data, const CodeOrigin *origin, Symbols *symbols)
{
    Names *names = data;
    size_t bytes;
    char *text = attachment_read(names->trace, origin->attachment, &bytes, names->warns);

    if (text && g_str_has_prefix(origin->attachment, CODE_TABLE_KALLSYMS))
        symbols_add_kallsyms(symbols, text);
    else if (text)
        symbols_add_functions(symbols, text);
    free(text);
}

static LineTable *read_lines(void *data, const CodeOrigin *origin)
{
    Names *names = data;
    g_autofree char *name = g_strconcat(LINE_TABLE_ATTACHMENT, origin->attachment + strlen(CODE_TABLE_ELF), NULL);
    size_t bytes;
    char *contents = attachment_read(names->trace, name, &bytes, names->warns);
    LineTable *lines = contents ? line_table_read((const uint8_t *)contents, bytes) : NULL;

    free(contents);
    return lines;
}

Names *names_new(mt_trace *trace, bool warns)
{
    Names *names = g_new0(Names, 1);
    const TraceFile *file = trace_file_of(trace);
    const TraceChanges *changes = file ? file->changes : NULL;
    const CodeNamesSource source = { .data = names, .add_symbols = add_symbols, .read_lines = read_lines };

    names->trace = trace;
    names->warns = warns;
    names->table = code_table_read(trace, warns);
    names->map = code_map_read(trace, warns);
    names->memories = memory_code_new(changes, names->map, names->table);
    names->tasks = task_memory_new(changes);
    names->texts = code_names_new(&source);
    names->instructions = g_ptr_array_new_with_free_func(g_free);
    names->others = g_hash_table_new_full(hash_other, equal_others, g_free, g_free);
    return names;
}

void names_free(Names *names)
{
    if (!names)
        return;
    memory_code_free(names->memories);
    task_memory_free(names->tasks);
    code_map_free(names->map);
    code_table_free(names->table);
    g_hash_table_unref(names->others);
    g_free(names->facts);
    g_free(names->pcs);
    code_names_free(names->texts);
    g_ptr_array_unref(names->instructions);
    g_free(names);
}

/* Instructions. */

/* What the table doesn't tell (code that a process has made, say) may still be the only thing that can be there. */
static const CodeOrigin *find_origin(const Names *names, uint32_t number, const struct mt_instruction *instruction)
{
    uint32_t owner = code_table_owner(names->table, number);

    if (!owner && x86_is_user(instruction->cpl))
        owner = memory_code_only_origin(names->memories, number, instruction->pc);
    return owner ? names->table->origins->pdata[owner - 1] : NULL;
}

/* As it is in whichever memory. */
static const NamedInstruction *find(Names *names, uint32_t number)
{
    const struct mt_instruction *instruction = mt_trace_instruction(names->trace, number);
    const CodeOrigin *origin = instruction ? find_origin(names, number, instruction) : NULL;
    NamedInstruction *named;

    if (!origin)
        return NULL;
    if (number >= names->instructions->len)
        g_ptr_array_set_size(names->instructions, (gint)MAX(mt_trace_instructions(names->trace), number) + 1);
    named = names->instructions->pdata[number];
    if (!named) {
        names->instructions->pdata[number] = named = code_names_find(names->texts, origin, instruction->pc);
    }
    return named;
}

/* The instruction as one origin (its number, plus 1) names it. */
static const NamedInstruction *find_of_origin(Names *names, uint32_t number, uint32_t origin)
{
    const OtherKey key = { number, origin };
    NamedInstruction *named;

    if (!origin || origin == code_table_owner(names->table, number))
        return origin ? find(names, number) : NULL;
    named = g_hash_table_lookup(names->others, &key);
    if (!named) {
        named = code_names_find(names->texts, names->table->origins->pdata[origin - 1],
                                mt_trace_instruction(names->trace, number)->pc);
        g_hash_table_insert(names->others, g_memdup2(&key, sizeof key), named);
    }
    return named;
}

static const NamedInstruction *find_in(Names *names, uint32_t memory, uint32_t number)
{
    if (!memory || !names_vary(names, number))
        return find(names, number);
    return find_of_origin(
        names, number,
        memory_code_origin(names->memories, memory, number, mt_trace_instruction(names->trace, number)->pc));
}

/* Kernel code is the same in all memories: its names and addresses don't depend on them. */
static uint8_t find_facts(const Names *names, uint32_t number)
{
    const struct mt_instruction *instruction = mt_trace_instruction(names->trace, number);
    uint8_t facts = FACT_KNOWN;

    if (!instruction || !x86_is_user(instruction->cpl))
        return facts;
    if (memory_code_varies(names->memories, number, instruction->pc))
        facts |= FACT_NAMES_VARY;
    if (memory_code_moves(names->memories, number, instruction->pc))
        facts |= FACT_PC_VARIES;
    return facts;
}

static uint8_t facts_of(Names *names, uint32_t number)
{
    if (number >= names->facts_room) {
        uint32_t room = MAX(mt_trace_instructions(names->trace), number) + 1;

        names->facts = g_renew(uint8_t, names->facts, room);
        memset(names->facts + names->facts_room, 0, room - names->facts_room);
        names->facts_room = room;
    }
    if (!names->facts[number])
        names->facts[number] = find_facts(names, number);
    return names->facts[number];
}

bool names_vary(Names *names, uint32_t number)
{
    return facts_of(names, number) & FACT_NAMES_VARY;
}

bool names_pc_varies(Names *names, uint32_t number)
{
    return facts_of(names, number) & FACT_PC_VARIES;
}

uint64_t names_pc_in(Names *names, uint32_t memory, uint32_t number)
{
    const struct mt_instruction *instruction = mt_trace_instruction(names->trace, number);
    uint64_t key = (uint64_t)memory << 32 | number;
    KnownPc *known;

    if (!instruction || !memory || !names_pc_varies(names, number))
        return instruction ? instruction->pc : 0;
    if (!names->pcs)
        names->pcs = g_new0(KnownPc, 1 << PCS_BITS);
    known = &names->pcs[key * UINT64_C(0x9e3779b97f4a7c15) >> (64 - PCS_BITS)];
    if (known->memory != memory || known->number != number)
        *known = (KnownPc){ memory, number, memory_code_pc(names->memories, memory, number, instruction->pc) };
    return known->pc;
}

uint64_t names_pc_at(Names *names, const struct mt_batch *batch, size_t i)
{
    uint32_t number = batch->instruction[i];

    return names_pc_in(names, names_pc_varies(names, number) ? names_memory_at(names, batch, i) : 0, number);
}

uint32_t names_memory_at(const Names *names, const struct mt_batch *batch, size_t i)
{
    uint64_t from, until;

    return task_memory_at(names->tasks, events_before(&batch->task, i) >> TASK_CONTEXT_BITS, events_index(batch, i),
                          &from, &until);
}

const TaskMemory *names_task_memory(const Names *names)
{
    return names->tasks;
}

const struct mt_symbol *names_symbol_in(Names *names, uint32_t memory, uint32_t number)
{
    const NamedInstruction *named = find_in(names, memory, number);

    return named ? &named->symbol : NULL;
}

const struct mt_symbol *names_symbol(Names *names, uint32_t number)
{
    return names_symbol_in(names, 0, number);
}

const char *names_of_instruction_in(Names *names, uint32_t memory, uint32_t number, uint64_t *offset)
{
    const NamedInstruction *named = find_in(names, memory, number);

    if (!named || !named->text)
        return NULL;
    *offset = named->symbol.offset;
    return named->text;
}

const char *names_of_instruction(Names *names, uint32_t number, uint64_t *offset)
{
    return names_of_instruction_in(names, 0, number, offset);
}

void names_list_functions_in(Names *names, uint32_t memory, uint32_t number, GPtrArray *to)
{
    code_names_list_functions(find_in(names, memory, number), to);
}

void names_list_functions(Names *names, uint32_t number, GPtrArray *to)
{
    names_list_functions_in(names, 0, number, to);
}

void names_list_all_functions(Names *names, uint32_t number, GPtrArray *to)
{
    g_autoptr(GArray) origins = g_array_new(FALSE, FALSE, sizeof(uint32_t));

    if (!names_vary(names, number)) {
        names_list_functions(names, number, to);
        return;
    }
    memory_code_list_origins(names->memories, number, mt_trace_instruction(names->trace, number)->pc, origins);
    for (guint i = 0; i < origins->len; i++)
        code_names_list_functions(find_of_origin(names, number, g_array_index(origins, uint32_t, i)), to);
}
