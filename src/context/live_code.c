/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of a running guest's code: see live_code.h. It decides as memory_code_origin() does for a recording. What the
 * ring says is the guest's, and may be anything.
 */
#include "live_code.h"

#include <string.h>

#include "../record/x86.h"
#include "debug_info.h"

#define STRETCHES_MAX (1u << 20) /* of all memories */
/* So many entries of debug information are looked at: some seconds' worth. */
#define DEBUG_ENTRIES_MAX (UINT64_C(20) << 20)

/* A part of a memory that is executable. */
typedef struct {
    uint64_t begin, end;
    uint32_t origin; /* number in the table, plus 1; 0: nobody knows what is there */
} Stretch;

typedef struct {
    const ElfCode *elf;
    char *attachment; /* what its symbols would be called in a trace */
    DebugUnits *units;
} CodeFile;

struct LiveCode {
    const Ring *ring;
    LiveCodeFacts facts;
    uint32_t changes;     /* of the ring: so many are taken */
    GHashTable *memories; /* GArray of Stretch, by number */
    size_t stretches;
    CodeTable *table;  /* only its origins are used */
    GArray *files;     /* uint32_t: by origin, the number of its file, plus 1; 0: the kernel */
    GPtrArray *known;  /* CodeFile */
    GArray *home;      /* uint32_t: by instruction, an origin that has it at the address that was recorded; or 0 */
    GHashTable *named; /* NamedInstruction by `origin << 32 | number` */
    CodeNames *names;
    uint32_t kernel; /* its origin, or 0 */
    uint64_t debug_entries;
};

static void free_file(void *data)
{
    CodeFile *file = data;

    g_free(file->attachment);
    debug_units_free(file->units);
    g_free(file);
}

static CodeFile *file_of(const LiveCode *code, uint32_t origin)
{
    uint32_t number = g_array_index(code->files, uint32_t, origin - 1);

    return number ? code->known->pdata[number - 1] : NULL;
}

/* What files tell. */

static CodeFile *file_of_origin(const LiveCode *code, const CodeOrigin *origin)
{
    guint number;

    return g_ptr_array_find(code->table->origins, origin, &number) ? file_of(code, number + 1) : NULL;
}

static void add_symbols(void *data, const CodeOrigin *origin, Symbols *symbols)
{
    LiveCode *code = data;
    const CodeFile *file = file_of_origin(code, origin);
    g_autoptr(GString) text = g_string_new(NULL);

    if (!file) {
        symbols_add_kallsyms(symbols, code->facts.kallsyms);
        return;
    }
    for (guint i = 0; i < file->elf->functions->len; i++) {
        const ElfFunction *function = &g_array_index(file->elf->functions, ElfFunction, i);

        g_string_append_printf(text, "%" G_GINT64_MODIFIER "x %" G_GINT64_MODIFIER "x %s\n", function->address,
                               function->end, function->name);
    }
    symbols_add_functions(symbols, text->str);
}

static LineTable *read_lines(void *data, const CodeOrigin *origin)
{
    (void)origin;
    return ((const LiveCode *)data)->facts.wants_lines ? line_table_new() : NULL;
}

static void add_lines(void *data, const CodeOrigin *origin, uint64_t address, LineTable *lines)
{
    LiveCode *code = data;
    const CodeFile *file = file_of_origin(code, origin);

    if (file && !line_table_find(lines, address))
        debug_units_add_lines(file->units, address, lines, &code->debug_entries);
}

LiveCode *live_code_new(const Ring *ring, const LiveCodeFacts *facts)
{
    LiveCode *code = g_new0(LiveCode, 1);
    const CodeNamesSource source = { code, add_symbols, read_lines, add_lines };
    const uint32_t no_file = 0;

    code->ring = ring;
    code->facts = *facts;
    code->memories = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)g_array_unref);
    code->table = code_table_new();
    code->files = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    code->known = g_ptr_array_new_with_free_func(free_file);
    code->home = g_array_new(FALSE, TRUE, sizeof(uint32_t));
    code->named = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    code->names = code_names_new(&source);
    code->debug_entries = DEBUG_ENTRIES_MAX;
    if (facts->kallsyms) {
        code->kernel = code_table_add_origin(code->table, 0, CODE_TABLE_KALLSYMS, "kernel");
        g_array_append_val(code->files, no_file);
    }
    return code;
}

void live_code_free(LiveCode *code)
{
    if (!code)
        return;
    g_hash_table_unref(code->memories);
    code_table_free(code->table);
    g_array_unref(code->files);
    g_ptr_array_unref(code->known);
    g_array_unref(code->home);
    g_hash_table_unref(code->named);
    code_names_free(code->names);
    g_free(code);
}

/* What is mapped. */

static GArray *get_memory(LiveCode *code, uint64_t number)
{
    gpointer key = GSIZE_TO_POINTER(number);
    GArray *memory = g_hash_table_lookup(code->memories, key);

    if (!memory) {
        memory = g_array_new(FALSE, FALSE, sizeof(Stretch));
        g_hash_table_insert(code->memories, key, memory);
    }
    return memory;
}

static void add_stretch(LiveCode *code, uint64_t memory, const Stretch *stretch)
{
    GArray *list = get_memory(code, memory);
    const Stretch *last = list->len ? &g_array_index(list, Stretch, list->len - 1) : NULL;

    /* A generator of code may map and protect the same pages again and again. */
    if (stretch->end <= stretch->begin || code->stretches >= STRETCHES_MAX ||
        (last && last->origin == stretch->origin && last->begin <= stretch->begin && last->end >= stretch->end))
        return;
    code->stretches++;
    g_array_append_vals(list, stretch, 1);
}

/* The number of the file, plus 1. Two files may have the same id. */
static uint32_t number_of(LiveCode *code, const ElfCode *elf)
{
    CodeFile *file;
    guint same = 1;

    for (guint i = 0; i < code->known->len; i++) {
        const CodeFile *other = code->known->pdata[i];

        if (other->elf == elf)
            return i + 1;
        same += !strcmp(other->elf->id, elf->id);
    }
    file = g_new0(CodeFile, 1);
    file->elf = elf;
    file->units = debug_units_new(elf);
    file->attachment =
        same > 1 ? g_strdup_printf(CODE_TABLE_ELF "%s/%u", elf->id, same) : g_strconcat(CODE_TABLE_ELF, elf->id, NULL);
    g_ptr_array_add(code->known, file);
    return code->known->len;
}

static uint32_t get_origin(LiveCode *code, const ElfCode *elf, uint64_t bias, const char *shown)
{
    uint32_t file = number_of(code, elf), origin;

    for (guint i = 0; i < code->files->len; i++)
        if (g_array_index(code->files, uint32_t, i) == file &&
            ((const CodeOrigin *)code->table->origins->pdata[i])->bias == bias)
            return i + 1;
    origin =
        code_table_add_origin(code->table, bias, ((const CodeFile *)code->known->pdata[file - 1])->attachment, shown);
    if (origin)
        g_array_append_val(code->files, file);
    return origin;
}

static void add_map(LiveCode *code, const Change *change)
{
    const uint64_t *value = change->value;
    Stretch stretch = { .begin = value[1], .end = value[2] };
    const char *shown;
    const ElfCode *elf;
    uint64_t bias;

    if (!(value[3] & CHANGE_MAP_EXECUTE) || !value[0])
        return;
    elf =
        *change->text == '/' ? code->facts.find_file(code->facts.find_file_data, change->text, value[5], &shown) : NULL;
    if (elf && elf_code_find_bias(elf, value[1], value[4], &bias))
        stretch.origin = get_origin(code, elf, bias, shown);
    add_stretch(code, value[0], &stretch);
}

static void copy_memory(LiveCode *code, uint64_t to, uint64_t from)
{
    const GArray *list = g_hash_table_lookup(code->memories, GSIZE_TO_POINTER(from));

    for (guint i = 0; list && to && to != from && i < list->len; i++) {
        const Stretch stretch = g_array_index(list, Stretch, i);

        add_stretch(code, to, &stretch);
    }
}

/* What the kernel has told so far. When it does, nobody has executed the code yet. */
static void take_changes(LiveCode *code)
{
    uint32_t count = ring_fields(code->ring) & MT_FIELD_TASK ? ring_changes(code->ring) : 0;
    Change change;

    for (; code->changes < count; code->changes++) {
        if (!ring_get_change(code->ring, code->changes + 1, &change))
            continue;
        if (change.kind == CHANGE_MAP || change.kind == CHANGE_WAS_MAPPED)
            add_map(code, &change);
        else if (change.kind == CHANGE_COPY)
            copy_memory(code, change.value[0], change.value[1]);
    }
}

/* Whose an instruction is. */

static bool matches(const LiveCode *code, uint32_t origin, const struct mt_instruction *instruction)
{
    const CodeFile *file = file_of(code, origin);
    const CodeOrigin *of = code->table->origins->pdata[origin - 1];
    const uint8_t *bytes =
        file && instruction->length ? elf_code_at(file->elf, instruction->pc - of->bias, instruction->length) : NULL;

    return bytes && !memcmp(bytes, instruction->bytes, instruction->length);
}

static bool maps_file(const LiveCode *code, const GArray *memory, const CodeFile *file)
{
    for (guint i = 0; memory && i < memory->len; i++) {
        uint32_t origin = g_array_index(memory, Stretch, i).origin;

        if (origin && file_of(code, origin) == file)
            return true;
    }
    return false;
}

/* What the memory has at the instruction's address and may be it. False if there are several, or something unknown. */
static bool find_there(const LiveCode *code, const GArray *memory, const struct mt_instruction *instruction,
                       uint32_t *found)
{
    for (guint i = 0; memory && i < memory->len; i++) {
        const Stretch *stretch = &g_array_index(memory, Stretch, i);

        if (instruction->pc < stretch->begin || instruction->pc >= stretch->end)
            continue;
        if (!stretch->origin)
            return false;
        if (*found == stretch->origin || !matches(code, stretch->origin, instruction))
            continue;
        if (*found)
            return false;
        *found = stretch->origin;
    }
    return true;
}

/* An instruction that was recorded in another process, which has its file elsewhere. `memory` NULL: it isn't known. 0
 * if it can be of several files, or none. */
static uint32_t search(const LiveCode *code, const GArray *memory, const struct mt_instruction *instruction)
{
    uint32_t found = 0;

    for (uint32_t origin = 1; origin <= code->files->len; origin++) {
        if (!matches(code, origin, instruction) || (memory && !maps_file(code, memory, file_of(code, origin))))
            continue;
        if (found && file_of(code, found) != file_of(code, origin))
            return 0;
        found = origin;
    }
    return found;
}

/*
 * QEMU translates a page of a file once: where several processes have it at different addresses, they all execute the
 * translation, and the recorded address is that of the process that came first. That one has the file there: `home`.
 */
static uint32_t find_user_origin(LiveCode *code, uint32_t number, uint32_t memory,
                                 const struct mt_instruction *instruction)
{
    const GArray *list = memory ? g_hash_table_lookup(code->memories, GUINT_TO_POINTER(memory)) : NULL;
    uint32_t found = 0, *home;

    if (number >= code->home->len)
        g_array_set_size(code->home, MAX(number + 1, 2 * code->home->len));
    home = &g_array_index(code->home, uint32_t, number);
    if (!find_there(code, list, instruction, &found))
        return 0;
    if (!*home)
        *home = found ? found : search(code, list, instruction);
    if (!found)
        return *home && (!list || maps_file(code, list, file_of(code, *home))) ? *home : 0;
    return file_of(code, *home) == file_of(code, found) || !maps_file(code, list, file_of(code, *home)) ? found : 0;
}

const NamedInstruction *live_code_find(LiveCode *code, uint32_t memory, uint32_t number)
{
    struct mt_instruction instruction; /* a copy: the other side of the ring can change it */
    NamedInstruction *named;
    uint32_t origin;
    uint64_t key;

    if (!number || number >= ring_instructions(code->ring))
        return NULL;
    instruction = *ring_get_instruction(code->ring, number);
    instruction.length = MIN(instruction.length, sizeof instruction.bytes);
    take_changes(code);
    origin = x86_is_kernel_code(&instruction) ? code->kernel
             : x86_is_user(instruction.cpl)   ? find_user_origin(code, number, memory, &instruction)
                                              : 0;
    if (!origin)
        return NULL;
    key = (uint64_t)origin << 32 | number;
    named = g_hash_table_lookup(code->named, &key);
    if (!named) {
        named = code_names_find(code->names, code->table->origins->pdata[origin - 1], instruction.pc);
        g_hash_table_insert(code->named, g_memdup2(&key, sizeof key), named);
    }
    return named;
}
