/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names for addresses: see symbols.h. */
#include "symbols.h"

#include <fcntl.h>
#include <gelf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    uint64_t address, end; /* end: 0 if it isn't known; the next symbol is it then */
    const char *name;
} NamedAddress;

struct Symbols {
    GArray *all; /* NamedAddress */
    GStringChunk *names;
    bool sorted;
};

Symbols *symbols_new(void)
{
    Symbols *symbols = g_new0(Symbols, 1);

    symbols->all = g_array_new(FALSE, FALSE, sizeof(NamedAddress));
    symbols->names = g_string_chunk_new(1 << 16);
    return symbols;
}

void symbols_free(Symbols *symbols)
{
    if (!symbols)
        return;
    g_array_unref(symbols->all);
    g_string_chunk_free(symbols->names);
    g_free(symbols);
}

static void add(Symbols *symbols, uint64_t address, uint64_t end, const char *name)
{
    NamedAddress named = { address, end, g_string_chunk_insert(symbols->names, name) };

    g_array_append_val(symbols->all, named);
    symbols->sorted = false;
}

void symbols_add_kallsyms(Symbols *symbols, const char *text)
{
    while (*text) {
        /* "ffffffff81000000 T _stext", perhaps followed by a tab and "[module]" */
        size_t length = strcspn(text, "\n");
        g_autofree char *line = g_strndup(text, length);
        char *after;
        uint64_t address = g_ascii_strtoull(line, &after, 16);

        text += length + (text[length] == '\n');
        if (after == line || !address || strlen(after) < 4 || after[0] != ' ' || after[2] != ' ' ||
            !strchr("tTwW", after[1]))
            continue;
        g_strdelimit(after + 3, "\t", ' ');
        add(symbols, address, 0, after + 3);
    }
}

static void add_table(Symbols *symbols, Elf *elf, Elf_Scn *section, const GElf_Shdr *header, uint64_t bias)
{
    Elf_Data *data = elf_getdata(section, NULL);
    size_t count = data && header->sh_entsize ? header->sh_size / header->sh_entsize : 0;

    for (size_t i = 0; i < count; i++) {
        GElf_Sym symbol;
        const char *name;

        if (!gelf_getsym(data, (int)i, &symbol) || GELF_ST_TYPE(symbol.st_info) != STT_FUNC || !symbol.st_value)
            continue;
        name = elf_strptr(elf, header->sh_link, symbol.st_name);
        if (name && *name)
            add(symbols, symbol.st_value + bias, symbol.st_size ? symbol.st_value + symbol.st_size + bias : 0, name);
    }
}

/* Code that no symbol covers is named by its file. */
static void add_segments(Symbols *symbols, Elf *elf, const char *path, uint64_t bias)
{
    g_autofree char *name = g_path_get_basename(path);
    size_t segments = 0;

    elf_getphdrnum(elf, &segments);
    for (size_t i = 0; i < segments; i++) {
        GElf_Phdr segment;

        if (gelf_getphdr(elf, (int)i, &segment) && segment.p_type == PT_LOAD && (segment.p_flags & PF_X))
            add(symbols, segment.p_vaddr + bias, segment.p_vaddr + segment.p_memsz + bias, name);
    }
}

void symbols_add_elf(Symbols *symbols, const char *path, uint64_t bias)
{
    Elf_Scn *section = NULL;
    struct stat status;
    Elf *elf;
    int fd;

    if (stat(path, &status) || !S_ISREG(status.st_mode))
        return;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return;
    elf_version(EV_CURRENT);
    elf = elf_begin(fd, ELF_C_READ, NULL);
    if (elf && elf_kind(elf) == ELF_K_ELF) {
        add_segments(symbols, elf, path, bias);
        while ((section = elf_nextscn(elf, section))) {
            GElf_Shdr header;

            if (gelf_getshdr(section, &header) && (header.sh_type == SHT_SYMTAB || header.sh_type == SHT_DYNSYM))
                add_table(symbols, elf, section, &header, bias);
        }
    }
    elf_end(elf);
    close(fd);
}

/* By address; the widest first, so that the last one at or below an address is the closest. */
static int compare(const void *a, const void *b)
{
    const NamedAddress *x = a, *y = b;

    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    return x->end == y->end ? 0 : x->end > y->end ? -1 : 1;
}

const char *symbols_find(Symbols *symbols, uint64_t address, uint64_t *offset)
{
    guint low = 0, high = symbols->all->len;

    if (!symbols->sorted && high)
        qsort(symbols->all->data, high, sizeof(NamedAddress), compare);
    symbols->sorted = true;
    while (low < high) { /* the first one above the address */
        guint middle = low + (high - low) / 2;

        if (g_array_index(symbols->all, NamedAddress, middle).address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    while (low--) { /* backwards, over functions that have ended, to the file's own name at the latest */
        const NamedAddress *named = &g_array_index(symbols->all, NamedAddress, low);

        if ((named->address ^ address) >> 63)
            return NULL; /* the other half of the address space */
        if (!named->end || address < named->end) {
            *offset = address - named->address;
            return named->name;
        }
        if (address - named->address > G_MAXUINT32)
            return NULL;
    }
    return NULL;
}
