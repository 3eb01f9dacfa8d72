/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where variables lie: see objects.h. */
#include "objects.h"

#include <stdlib.h>
#include <string.h>

#include "../base/sort_runs.h"
#include "../record/kallsyms.h"
#include "attachment.h"
#include "code_table.h"
#include "name_match.h"
#include "variable_table.h"

typedef struct {
    const NameMatch *match;
    uint64_t bias;
    GArray *ranges; /* ObjectRange */
} Search;

static void add_range(Search *search, uint64_t begin, uint64_t end)
{
    ObjectRange range = { begin + search->bias, end + search->bias };

    for (guint i = 0; i < search->ranges->len; i++) { /* it may have two names, or two lines of `loaded` */
        const ObjectRange *known = &g_array_index(search->ranges, ObjectRange, i);

        if (known->begin == range.begin && known->end == range.end)
            return;
    }
    if (begin < end && range.begin < range.end)
        g_array_append_val(search->ranges, range);
}

static void search_line(Search *search, char *line)
{
    Variable variable;

    if (variable_parse(line, &variable) && name_match_test(search->match, variable.name))
        add_range(search, variable.begin, variable.end);
}

static void search_file(Search *search, char *text)
{
    for (char *line; (line = attachment_take_line(&text));)
        search_line(search, line);
}

/* The kernel. Its symbols have no sizes: each ends where the next one begins. */

typedef struct {
    uint64_t address;
    bool is_wanted;
} KernelSymbol;

static gint compare(gconstpointer a, gconstpointer b)
{
    const KernelSymbol *x = a, *y = b;

    return x->address < y->address ? -1 : x->address > y->address;
}

/* A module's has "name [module]". */
static bool is_wanted(const NameMatch *match, const KallsymsLine *line)
{
    g_autofree char *name =
        strchr("bBdDrRvV", line->type) ? g_strndup(line->name, (size_t)(line->end - line->name)) : NULL;

    if (name && line->module)
        name[line->name_end - line->name] = ' ';
    return name && name_match_test(match, name);
}

static void search_kernel(Search *search, const char *text)
{
    g_autoptr(GArray) symbols = g_array_new(FALSE, FALSE, sizeof(KernelSymbol));
    KallsymsLine line;

    while (kallsyms_take(&text, &line)) {
        KernelSymbol symbol = { line.address, line.address && is_wanted(search->match, &line) };

        if (symbol.address)
            g_array_append_val(symbols, symbol);
    }
    sort_runs(symbols, compare);
    for (guint i = 0; i < symbols->len; i++) {
        const KernelSymbol *symbol = &g_array_index(symbols, KernelSymbol, i);
        guint next = i + 1;

        while (symbol->is_wanted && next < symbols->len &&
               g_array_index(symbols, KernelSymbol, next).address == symbol->address)
            next++;
        if (symbol->is_wanted && next < symbols->len)
            add_range(search, symbol->address, g_array_index(symbols, KernelSymbol, next).address);
    }
}

GArray *objects_find(mt_trace *trace, const char *name)
{
    g_autoptr(CodeTable) table = code_table_read(trace, true);
    g_autoptr(NameMatch) match = name_match_new(name, false);
    Search search = { .match = match, .ranges = g_array_new(FALSE, FALSE, sizeof(ObjectRange)) };

    for (guint i = 0; i < table->origins->len; i++) {
        const CodeOrigin *origin = table->origins->pdata[i];
        bool is_file = g_str_has_prefix(origin->attachment, CODE_TABLE_ELF);
        g_autofree char *attachment =
            is_file ? g_strconcat(CODE_TABLE_DATA, origin->attachment + strlen(CODE_TABLE_ELF), NULL)
                    : g_strdup(origin->attachment);
        size_t bytes;
        char *text = attachment_read(trace, attachment, &bytes, true);

        search.bias = origin->bias;
        if (text && is_file)
            search_file(&search, text);
        else if (text)
            search_kernel(&search, text);
        free(text);
    }
    return search.ranges;
}
