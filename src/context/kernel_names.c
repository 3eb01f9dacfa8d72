/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names for the kernel's memory: see kernel_names.h. The attachments are not trusted. */
#include "kernel_names.h"

#include <stdlib.h>
#include <string.h>

#include "../base/sort_runs.h"
#include "../record/kallsyms.h"
#include "attachment.h"

typedef struct {
    uint64_t address;
    const char *name;
    const char *module; /* NULL: the kernel itself */
} Symbol;

struct KernelNames {
    GArray *symbols; /* Symbol, by address; at one address, the preferred one comes first */
    GArray *modules; /* KernelName, in no order: there are few */
    GArray *devices; /* KernelName; a device that lies in another one comes after it */
    char *kallsyms;  /* where the symbols' names are; NULL: there are no symbols */
    GStringChunk *texts;
};

/* Of several symbols at one address, a variable's own name comes before a section's, which has underscores. */
static gint compare_symbols(gconstpointer a, gconstpointer b)
{
    const Symbol *x = a, *y = b;

    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    return (*x->name == '_') - (*y->name == '_');
}

/* The module of a line: without its brackets. */
static const char *module_of(KernelNames *names, const KallsymsLine *line)
{
    const char *begin = line->module + (*line->module == '[');
    const char *end = memchr(begin, ']', (size_t)(line->end - begin));
    g_autofree char *module = g_strndup(begin, (size_t)((end ? end : line->end) - begin));

    return g_string_chunk_insert_const(names->texts, module);
}

static void read_symbols(KernelNames *names)
{
    const char *text = names->kallsyms;
    KallsymsLine line;

    while (kallsyms_take(&text, &line)) {
        Symbol symbol = { line.address, line.name, line.module ? module_of(names, &line) : NULL };

        g_array_append_val(names->symbols, symbol);
        names->kallsyms[line.name_end - names->kallsyms] = 0;
    }
}

/* "overlay 163840 0 - Live 0xffffffffc041e000" */
static void read_module(KernelNames *names, char *line)
{
    g_auto(GStrv) words = g_strsplit(line, " ", -1);
    KernelName module;

    if (g_strv_length(words) < 6)
        return;
    module.begin = g_ascii_strtoull(words[5], NULL, 16);
    module.end = module.begin + g_ascii_strtoull(words[1], NULL, 10);
    module.name = g_string_chunk_insert_const(names->texts, words[0]);
    if (module.begin && module.begin < module.end)
        g_array_append_val(names->modules, module);
}

/* "    febc0000-febc3fff : virtio-pci-modern". A driver's line follows its device's, with the same addresses: then the
 * name is that of both. */
static void read_device(KernelNames *names, char *line)
{
    char *after;
    KernelName device = { .begin = g_ascii_strtoull(line, &after, 16) };
    const KernelName *last =
        names->devices->len ? &g_array_index(names->devices, KernelName, names->devices->len - 1) : NULL;

    if (*after++ != '-')
        return;
    device.end = g_ascii_strtoull(after, &after, 16) + 1;
    if (!g_str_has_prefix(after, " : ") || device.end <= device.begin)
        return;
    if (last && last->begin == device.begin && last->end == device.end) {
        g_autofree char *both = g_strconcat(last->name, " ", after + 3, NULL);

        device.name = g_string_chunk_insert(names->texts, both);
    } else {
        device.name = g_string_chunk_insert(names->texts, after + 3);
    }
    g_array_append_val(names->devices, device);
}

/* Calls read_line for each line of `text`, which it changes. NULL has no lines. */
static void read_lines(KernelNames *names, char *text, void (*read_line)(KernelNames *, char *))
{
    for (char *line; (line = attachment_take_line(&text));)
        read_line(names, line);
}

/* Keeps the text of symbols, and changes those of modules and devices. */
static KernelNames *read_texts(char *symbols, char *modules, char *devices)
{
    KernelNames *names = g_new0(KernelNames, 1);

    names->symbols = g_array_new(FALSE, FALSE, sizeof(Symbol));
    names->modules = g_array_new(FALSE, FALSE, sizeof(KernelName));
    names->devices = g_array_new(FALSE, FALSE, sizeof(KernelName));
    names->texts = g_string_chunk_new(1 << 16);
    names->kallsyms = symbols;
    if (symbols)
        read_symbols(names);
    read_lines(names, modules, read_module);
    read_lines(names, devices, read_device);
    sort_runs(names->symbols, compare_symbols);
    return names;
}

KernelNames *kernel_names_new(const char *symbols, const char *modules, const char *devices)
{
    g_autofree char *of_modules = g_strdup(modules), *of_devices = g_strdup(devices);

    return read_texts(g_strdup(symbols), of_modules, of_devices);
}

static char *read_attachment(mt_trace *trace, const char *name)
{
    size_t bytes;

    return name ? attachment_read(trace, name, &bytes, false) : NULL;
}

KernelNames *kernel_names_read(mt_trace *trace, const char *symbols, const char *modules, const char *devices)
{
    char *of_symbols = read_attachment(trace, symbols), *of_modules = read_attachment(trace, modules);
    char *of_devices = read_attachment(trace, devices);
    KernelNames *names = read_texts(of_symbols, of_modules, of_devices);

    free(of_modules);
    free(of_devices);
    return names;
}

void kernel_names_free(KernelNames *names)
{
    if (!names)
        return;
    g_array_unref(names->symbols);
    g_array_unref(names->modules);
    g_array_unref(names->devices);
    free(names->kallsyms);
    g_string_chunk_free(names->texts);
    g_free(names);
}

static const Symbol *symbol_at(const KernelNames *names, guint i)
{
    return &g_array_index(names->symbols, Symbol, i);
}

/* The number of symbols at or below an address. */
static guint count_until(const KernelNames *names, uint64_t address)
{
    guint low = 0, high = names->symbols->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;

        if (symbol_at(names, middle)->address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool kernel_names_symbol(const KernelNames *names, uint64_t address, KernelName *found)
{
    guint end = count_until(names, address), first = end;

    if (!end || end == names->symbols->len) /* the last one has no end */
        return false;
    while (first && symbol_at(names, first - 1)->address == symbol_at(names, end - 1)->address)
        first--;
    if (symbol_at(names, first)->module)
        return false;
    *found =
        (KernelName){ symbol_at(names, first)->name, symbol_at(names, first)->address, symbol_at(names, end)->address };
    return true;
}

uint64_t kernel_names_address(const KernelNames *names, const char *name)
{
    for (guint i = 0; i < names->symbols->len; i++)
        if (!symbol_at(names, i)->module && !strcmp(symbol_at(names, i)->name, name))
            return symbol_at(names, i)->address;
    return UINT64_MAX;
}

/* The last range that has the address, which is the innermost one. */
static bool find_range(const GArray *ranges, uint64_t address, KernelName *found)
{
    for (guint i = ranges->len; i--;) {
        const KernelName *range = &g_array_index(ranges, KernelName, i);

        if (address >= range->begin && address < range->end) {
            *found = *range;
            return true;
        }
    }
    return false;
}

bool kernel_names_module(const KernelNames *names, uint64_t address, uint64_t low, KernelName *found)
{
    guint end;
    const Symbol *below;

    if (find_range(names->modules, address, found))
        return true;
    end = count_until(names, address);
    below = end ? symbol_at(names, end - 1) : NULL;
    if (!below || !below->module || below->address < low)
        return false;
    *found = (KernelName){ below->module, low, address + 1 };
    return true;
}

bool kernel_names_device(const KernelNames *names, uint64_t paddr, KernelName *found)
{
    return find_range(names->devices, paddr, found);
}
