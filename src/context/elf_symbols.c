/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The functions of an ELF file: see elf_symbols.h. */
#include "elf_symbols.h"

#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "debug_file.h"
#include "elf_mini_debug.h"
#include "elf_plt.h"

#define SYMBOLS_MAX (UINT64_C(2) << 20)
#define NAME_BYTES_MAX 1024

/* The symbol tables of one file: of the program itself, or of the file with its stripped symbols. */
typedef struct {
    ElfCode *code;
    Elf *elf;
    GArray *candidates;   /* ElfCandidate */
    const GArray *loaded; /* MemoryRange */
    bool has_symtab;
} Tables;

/* Addresses that the program has in memory (PT_LOAD). */
typedef struct {
    uint64_t begin, end;
} MemoryRange;

bool elf_symbols_is_good_name(const char *name)
{
    if (!name || !*name || strlen(name) > NAME_BYTES_MAX || !g_utf8_validate(name, -1, NULL))
        return false;
    for (; *name; name = g_utf8_next_char(name))
        if (!g_unichar_isgraph(g_utf8_get_char(name)))
            return false;
    return true;
}

/* Where a function without a size ends at the latest; 0: unknown. */
static uint64_t section_end(const Tables *tables, const GElf_Sym *symbol)
{
    GElf_Shdr header;
    size_t sections;
    Elf_Scn *section = !elf_getshdrnum(tables->elf, &sections) && symbol->st_shndx < sections
                           ? elf_getscn(tables->elf, symbol->st_shndx)
                           : NULL;

    if (!section || !gelf_getshdr(section, &header) || !(header.sh_flags & SHF_EXECINSTR) ||
        symbol->st_value - header.sh_addr >= header.sh_size)
        return 0;
    return symbol->st_value + MIN(header.sh_size - (symbol->st_value - header.sh_addr),
                                  elf_code_bytes_left(tables->code, symbol->st_value));
}

static void add_function(Tables *tables, const GElf_Sym *symbol, const char *name)
{
    ElfCandidate candidate = { .function = { .address = symbol->st_value,
                                             .end = symbol->st_value + symbol->st_size,
                                             .local = GELF_ST_BIND(symbol->st_info) == STB_LOCAL,
                                             .weak = GELF_ST_BIND(symbol->st_info) == STB_WEAK } };

    if (candidate.function.end < symbol->st_value || !elf_code_covers(tables->code, symbol->st_value) ||
        symbol->st_size > elf_code_bytes_left(tables->code, symbol->st_value) || !elf_symbols_is_good_name(name))
        return;
    if (!symbol->st_size)
        candidate.limit = section_end(tables, symbol);
    candidate.function.name = g_string_chunk_insert_const(tables->code->names, name);
    g_array_append_val(tables->candidates, candidate);
}

/* STT_GNU_IFUNC, a function that chooses among several, counts as a function, too. */
static bool is_function(const GElf_Sym *symbol)
{
    unsigned type = GELF_ST_TYPE(symbol->st_info);

    return type == STT_FUNC || type == STT_GNU_IFUNC;
}

static bool is_loaded(const Tables *tables, uint64_t begin, uint64_t end)
{
    for (guint i = 0; i < tables->loaded->len; i++) {
        const MemoryRange *range = &g_array_index(tables->loaded, MemoryRange, i);

        if (begin >= range->begin && end <= range->end)
            return true;
    }
    return false;
}

static void add_object(Tables *tables, const GElf_Sym *symbol, const char *name)
{
    ElfFunction object = { .address = symbol->st_value, .end = symbol->st_value + symbol->st_size };

    if (object.end <= object.address || !is_loaded(tables, object.address, object.end) ||
        !elf_symbols_is_good_name(name))
        return;
    object.name = g_string_chunk_insert_const(tables->code->names, name);
    g_array_append_val(tables->code->objects, object);
}

static void add_table(Tables *tables, Elf_Scn *section, const GElf_Shdr *header)
{
    Elf_Data *data = header->sh_size / sizeof(Elf64_Sym) <= SYMBOLS_MAX ? elf_getdata(section, NULL) : NULL;
    size_t count = data && data->d_buf ? data->d_size / sizeof(Elf64_Sym) : 0;

    for (size_t i = 0; i < count && tables->candidates->len < SYMBOLS_MAX; i++) {
        GElf_Sym symbol;

        if (!gelf_getsym(data, (int)i, &symbol) || symbol.st_shndx == SHN_UNDEF)
            continue;
        if (is_function(&symbol))
            add_function(tables, &symbol, elf_strptr(tables->elf, header->sh_link, symbol.st_name));
        else if (GELF_ST_TYPE(symbol.st_info) == STT_OBJECT && tables->code->objects->len < SYMBOLS_MAX)
            add_object(tables, &symbol, elf_strptr(tables->elf, header->sh_link, symbol.st_name));
    }
    tables->has_symtab |= count > 1 && header->sh_type == SHT_SYMTAB;
}

static void add_tables(Tables *tables)
{
    Elf_Scn *section = NULL;

    while ((section = elf_nextscn(tables->elf, section))) {
        GElf_Shdr header;

        if (gelf_getshdr(section, &header) && (header.sh_type == SHT_SYMTAB || header.sh_type == SHT_DYNSYM))
            add_table(tables, section, &header);
    }
}

/* Adds the functions of the ELF file `from`, which may be NULL, and ends it. Returns whether it has a symbol table. */
static bool add_others(const Tables *tables, Elf *from)
{
    Tables others = *tables;

    others.elf = from;
    others.has_symtab = false;
    if (from)
        add_tables(&others);
    elf_end(from);
    return others.has_symtab;
}

/* Adds the symbols that were stripped from the program, if a separate or a compressed table has them. */
static void add_stripped(const Tables *tables)
{
    int fd = debug_file_open(tables->code->path, tables->elf, DEBUG_FILE_FOLDER);
    bool found = fd >= 0 && add_others(tables, elf_begin(fd, ELF_C_READ, NULL));

    if (fd >= 0)
        close(fd);
    if (!found) {
        g_autofree char *buffer = NULL;

        add_others(tables, elf_mini_debug_open(tables->elf, &buffer));
    }
}

/* By address; of one address the longest first; then the name that programmers know best: global before local and weak
 * ones, short before long ones. */
static int compare(const void *a, const void *b)
{
    const ElfFunction *x = &((const ElfCandidate *)a)->function, *y = &((const ElfCandidate *)b)->function;
    size_t x_length, y_length;

    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    if (x->end != y->end)
        return x->end > y->end ? -1 : 1;
    if (x->local != y->local)
        return x->local ? 1 : -1;
    if (x->weak != y->weak)
        return x->weak ? 1 : -1;
    x_length = strlen(x->name);
    y_length = strlen(y->name);
    if (x_length != y_length)
        return x_length < y_length ? -1 : 1;
    return strcmp(x->name, y->name);
}

static void end_function(const GArray *candidates, guint number)
{
    ElfCandidate *candidate = &g_array_index(candidates, ElfCandidate, number);
    uint64_t end = candidate->limit;

    for (guint i = number + 1; end && i < candidates->len; i++) {
        uint64_t next = g_array_index(candidates, ElfCandidate, i).function.address;

        if (next > candidate->function.address) {
            end = MIN(end, next);
            break;
        }
    }
    candidate->function.end = MAX(end, candidate->function.address);
}

/* Makes functions of the candidates that have a range, one for each range. */
static void take_functions(const Tables *tables)
{
    GArray *candidates = tables->candidates;
    const ElfFunction *last = NULL;

    qsort(candidates->data, candidates->len, sizeof(ElfCandidate), compare);
    for (guint i = candidates->len; i--;)
        if (g_array_index(candidates, ElfCandidate, i).function.end ==
            g_array_index(candidates, ElfCandidate, i).function.address)
            end_function(candidates, i);
    for (guint i = 0; i < candidates->len; i++) {
        const ElfFunction *function = &g_array_index(candidates, ElfCandidate, i).function;

        if (function->end == function->address ||
            (last && last->address == function->address && last->end == function->end))
            continue;
        last = function;
        g_array_append_val(tables->code->functions, *function);
    }
}

static GArray *list_loaded(Elf *elf)
{
    GArray *loaded = g_array_new(FALSE, FALSE, sizeof(MemoryRange));
    size_t count;
    GElf_Phdr header;

    for (size_t i = 0; !elf_getphdrnum(elf, &count) && i < count; i++)
        if (gelf_getphdr(elf, (int)i, &header) && header.p_type == PT_LOAD) {
            MemoryRange range = { header.p_vaddr, header.p_vaddr + header.p_memsz };

            g_array_append_val(loaded, range);
        }
    return loaded;
}

static int compare_objects(const void *a, const void *b)
{
    const ElfFunction *x = a, *y = b;

    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Sorts the objects, and keeps each once: the loader's symbols (.dynsym) stand in .symtab, too. */
static void sort_objects(GArray *objects)
{
    guint left = 0;

    qsort(objects->data, objects->len, sizeof(ElfFunction), compare_objects);
    for (guint i = 0; i < objects->len; i++)
        if (!i ||
            compare_objects(&g_array_index(objects, ElfFunction, i), &g_array_index(objects, ElfFunction, left - 1)))
            g_array_index(objects, ElfFunction, left++) = g_array_index(objects, ElfFunction, i);
    g_array_set_size(objects, left);
}

void elf_symbols_read(ElfCode *code, Elf *elf)
{
    g_autoptr(GArray) candidates = g_array_new(FALSE, FALSE, sizeof(ElfCandidate)), loaded = list_loaded(elf);
    Tables tables = { .code = code, .elf = elf, .candidates = candidates, .loaded = loaded };

    add_tables(&tables);
    if (!tables.has_symtab)
        add_stripped(&tables);
    elf_plt_add(code, elf, candidates);
    if (candidates->len)
        take_functions(&tables);
    if (code->objects->len)
        sort_objects(code->objects);
}
