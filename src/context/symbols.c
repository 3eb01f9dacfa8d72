/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names for addresses: see symbols.h. */
#include "symbols.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../record/x86.h"

/* How many functions that have ended are looked past, in search of one around them that has not. */
#define NESTED_MAX 256

typedef struct {
    uint64_t address, end; /* end: 0 if it isn't known; the symbol reaches up to the next one then */
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

void symbols_add_functions(Symbols *symbols, const char *text)
{
    while (*text) {
        size_t length = strcspn(text, "\n");
        g_autofree char *line = g_strndup(text, length);
        char *end_text, *name;
        uint64_t address = g_ascii_strtoull(line, &end_text, 16), end = g_ascii_strtoull(end_text, &name, 16);

        text += length + (text[length] == '\n');
        if (end_text > line && name > end_text && end > address && name[0] == ' ' && name[1])
            add(symbols, address, end, name + 1);
    }
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
    for (guint steps = 0; low-- && steps < NESTED_MAX; steps++) { /* backwards, over functions that have ended */
        const NamedAddress *named = &g_array_index(symbols->all, NamedAddress, low);

        if (x86_is_kernel_address(named->address) != x86_is_kernel_address(address))
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
