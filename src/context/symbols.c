/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names for addresses: see symbols.h. */
#define _GNU_SOURCE /* strchrnul() */
#include "symbols.h"

#include <stdbool.h>
#include <string.h>

#include "../base/sort_runs.h"
#include "../record/kallsyms.h"
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

/* The name ends at `end_of_name`. Returns the copy of it that is kept. */
static char *add(Symbols *symbols, uint64_t address, uint64_t end, const char *name, const char *end_of_name)
{
    char *copy = g_string_chunk_insert_len(symbols->names, name, end_of_name - name);
    NamedAddress named = { address, end, copy };

    g_array_append_val(symbols->all, named);
    symbols->sorted = false;
    return copy;
}

void symbols_add_kallsyms(Symbols *symbols, const char *text)
{
    KallsymsLine line;

    while (kallsyms_take(&text, &line)) {
        char *name =
            line.address && strchr("tTwW", line.type) ? add(symbols, line.address, 0, line.name, line.end) : NULL;

        if (name && line.module)
            name[line.name_end - line.name] = ' ';
    }
}

void symbols_add_functions(Symbols *symbols, const char *text)
{
    for (const char *end; *text; text = *end ? end + 1 : end) {
        uint64_t address, after;

        end = strchrnul(text, '\n');
        if (kallsyms_take_number(&text, &address) && *text++ == ' ' && kallsyms_take_number(&text, &after) &&
            after > address && end - text > 1 && *text == ' ')
            add(symbols, address, after, text + 1, end);
    }
}

/* By address; the widest first, so that the last one at or below an address is the closest. */
static gint compare(gconstpointer a, gconstpointer b)
{
    const NamedAddress *x = a, *y = b;

    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    return x->end == y->end ? 0 : x->end > y->end ? -1 : 1;
}

const char *symbols_find(Symbols *symbols, uint64_t address, uint64_t *offset)
{
    guint low = 0, high = symbols->all->len;

    if (!symbols->sorted)
        sort_runs(symbols->all, compare);
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
