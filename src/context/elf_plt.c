/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names for the entries of the procedure linkage table: see elf_plt.h. They have no symbols. An entry jumps to the
 * address in a slot of the global offset table. The loader fills the slot in, and a relocation tells with the address
 * of which symbol. (x86-64 psABI, 5.2; an entry has 8 or 16 bytes.) Where there is a .plt.sec, the entries of .plt only
 * call the loader: they push the number of the relocation instead.
 */
#include "elf_plt.h"

#include <gelf.h>
#include <string.h>

#define RELOCATIONS_MAX (1u << 20)
#define ENTRY_BYTES 16u
#define SHORT_ENTRY_BYTES 8u

/* An address, as the hash table's key. */
#define KEY(address) GSIZE_TO_POINTER(address)

typedef struct {
    ElfCode *code;
    Elf *elf;
    GArray *candidates;
    GHashTable *slots;     /* names of symbols, by the slot's address */
    GHashTable *functions; /* names of functions, by their address */
    GPtrArray *in_turn;    /* names by the number of the relocation in .rela.plt; some are NULL */
} Plt;

static const char *section_name(const Plt *plt, const GElf_Shdr *header)
{
    size_t names;
    const char *name = elf_getshdrstrndx(plt->elf, &names) ? NULL : elf_strptr(plt->elf, names, header->sh_name);

    return name ? name : "";
}

/* The name of a relocation's symbol. In a static program, a relocation without a symbol has the address of a resolver
 * (STT_GNU_IFUNC) instead: then its name. */
static const char *symbol_name(const Plt *plt, const GElf_Rela *relocation, const GElf_Shdr *header)
{
    Elf_Scn *section = elf_getscn(plt->elf, header->sh_link);
    GElf_Shdr table;
    Elf_Data *data;
    GElf_Sym symbol;

    if (GELF_R_TYPE(relocation->r_info) == R_X86_64_IRELATIVE)
        return g_hash_table_lookup(plt->functions, KEY(relocation->r_addend));
    data = section && gelf_getshdr(section, &table) && (table.sh_type == SHT_DYNSYM || table.sh_type == SHT_SYMTAB)
               ? elf_getdata(section, NULL)
               : NULL;
    if (!data || !gelf_getsym(data, (int)GELF_R_SYM(relocation->r_info), &symbol))
        return NULL;
    return elf_strptr(plt->elf, table.sh_link, symbol.st_name);
}

static bool fills_slot(const GElf_Rela *relocation)
{
    unsigned long type = GELF_R_TYPE(relocation->r_info);

    return type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT || type == R_X86_64_IRELATIVE;
}

static void add_relocations(Plt *plt, Elf_Scn *section, const GElf_Shdr *header)
{
    Elf_Data *data = elf_getdata(section, NULL);
    size_t count = data && data->d_buf ? MIN(data->d_size / sizeof(Elf64_Rela), RELOCATIONS_MAX) : 0;
    bool is_plts = !strcmp(section_name(plt, header), ".rela.plt");

    for (size_t i = 0; i < count; i++) {
        GElf_Rela relocation;
        const char *name;

        if (!gelf_getrela(data, (int)i, &relocation))
            return;
        name = fills_slot(&relocation) ? symbol_name(plt, &relocation, header) : NULL;
        name = elf_symbols_is_good_name(name) ? g_string_chunk_insert_const(plt->code->names, name) : NULL;
        if (name)
            g_hash_table_insert(plt->slots, KEY(relocation.r_offset), (gpointer)name);
        if (is_plts)
            g_ptr_array_add(plt->in_turn, (gpointer)name);
    }
}

static int32_t read_number(const uint8_t *from)
{
    int32_t number;

    memcpy(&number, from, sizeof number);
    return GINT32_FROM_LE(number);
}

/* The symbol that an entry at this address is for, or NULL. */
static const char *name_of_entry(const Plt *plt, const uint8_t *code, uint64_t address, uint64_t bytes)
{
    for (uint64_t i = 0; i + 6 <= bytes; i++) /* jmp *displacement(%rip), behind endbr64 and bnd */
        if (code[i] == 0xff && code[i + 1] == 0x25) {
            uint64_t slot = address + i + 6 + (uint64_t)(int64_t)read_number(code + i + 2);

            return g_hash_table_lookup(plt->slots, KEY(slot));
        }
    for (uint64_t i = 0; i <= 4 && i + 5 <= bytes; i += 4) /* push $number */
        if (code[i] == 0x68) {
            uint32_t number = (uint32_t)read_number(code + i + 1);

            return number < plt->in_turn->len ? plt->in_turn->pdata[number] : NULL;
        }
    return NULL;
}

static void add_entries(Plt *plt, const GElf_Shdr *header)
{
    uint64_t bytes = header->sh_entsize == SHORT_ENTRY_BYTES ? SHORT_ENTRY_BYTES : ENTRY_BYTES;

    for (uint64_t at = 0; header->sh_size - at >= bytes; at += bytes) {
        uint64_t address = header->sh_addr + at;
        const uint8_t *code = elf_code_at(plt->code, address, (unsigned)bytes);
        const char *name = code ? name_of_entry(plt, code, address, bytes) : NULL;
        ElfCandidate candidate = { .function = { .address = address, .end = address + bytes, .local = true } };
        g_autofree char *shown = NULL;

        if (!code)
            return;
        if (!name)
            continue;
        shown = g_strconcat(name, "@plt", NULL);
        candidate.function.name = g_string_chunk_insert_const(plt->code->names, shown);
        g_array_append_val(plt->candidates, candidate);
    }
}

static bool has_entries(const Plt *plt, const GElf_Shdr *header)
{
    const char *name = section_name(plt, header);

    return header->sh_type == SHT_PROGBITS && header->sh_flags & SHF_EXECINSTR &&
           (!strcmp(name, ".plt") || !strcmp(name, ".plt.sec") || !strcmp(name, ".plt.got"));
}

void elf_plt_add(ElfCode *code, Elf *elf, GArray *candidates)
{
    g_autoptr(GHashTable) slots = g_hash_table_new(NULL, NULL);
    g_autoptr(GPtrArray) in_turn = g_ptr_array_new();
    g_autoptr(GHashTable) functions = g_hash_table_new(NULL, NULL);
    Plt plt = { code, elf, candidates, slots, functions, in_turn };
    Elf_Scn *section = NULL;
    GElf_Shdr header;

    for (guint i = 0; i < candidates->len; i++) {
        const ElfFunction *function = &g_array_index(candidates, ElfCandidate, i).function;

        g_hash_table_insert(functions, KEY(function->address), (gpointer)function->name);
    }
    while ((section = elf_nextscn(elf, section)))
        if (gelf_getshdr(section, &header) && header.sh_type == SHT_RELA && header.sh_flags & SHF_ALLOC)
            add_relocations(&plt, section, &header);
    while ((section = elf_nextscn(elf, section)))
        if (gelf_getshdr(section, &header) && has_entries(&plt, &header))
            add_entries(&plt, &header);
}
