/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names for a trace's instructions: see names.h. */
#include "names.h"

#include <stdlib.h>
#include <string.h>

#include "../base/printable.h"
#include "attachment.h"
#include "code_table.h"
#include "demangle.h"
#include "symbols.h"

struct Names {
    mt_trace *trace;
    CodeTable *table;
    GHashTable *symbols; /* Symbols by the attachment's name: those that were needed so far */
    GHashTable *shown;   /* char *: their names as people read them, by the linker's (a pointer into `symbols`) */
};

static void free_symbols(void *symbols)
{
    symbols_free(symbols);
}

Names *names_new(mt_trace *trace)
{
    Names *names = g_new0(Names, 1);

    names->trace = trace;
    names->table = code_table_read(trace);
    names->shown = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    names->symbols = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_symbols);
    return names;
}

void names_free(Names *names)
{
    if (!names)
        return;
    code_table_free(names->table);
    g_hash_table_unref(names->shown);
    g_hash_table_unref(names->symbols);
    g_free(names);
}

static Symbols *symbols_of(Names *names, const CodeOrigin *origin)
{
    Symbols *symbols = g_hash_table_lookup(names->symbols, origin->attachment);
    size_t bytes;
    char *text;

    if (symbols)
        return symbols;
    symbols = symbols_new();
    text = attachment_read(names->trace, origin->attachment, &bytes);
    if (text && g_str_has_prefix(origin->attachment, CODE_TABLE_KALLSYMS))
        symbols_add_kallsyms(symbols, text);
    else if (text)
        symbols_add_functions(symbols, text);
    free(text);
    g_hash_table_insert(names->symbols, g_strdup(origin->attachment), symbols);
    return symbols;
}

/* A function's name as people read it. */
static const char *shown_name(Names *names, const char *name)
{
    char *shown = g_hash_table_lookup(names->shown, name);

    if (!shown) {
        shown = demangle(name, true);
        if (!shown)
            shown = g_strdup(name);
        g_hash_table_insert(names->shown, (gpointer)name, shown);
    }
    return shown;
}

char *names_of_instruction(Names *names, uint32_t number, uint64_t *offset)
{
    const struct mt_instruction *instruction = mt_trace_instruction(names->trace, number);
    const CodeOrigin *origin = instruction ? code_table_origin(names->table, number) : NULL;
    g_autofree char *file = NULL, *text = NULL;
    uint64_t address;
    const char *name;
    bool is_file;

    if (!origin)
        return NULL;
    address = instruction->pc - origin->bias;
    *offset = address;
    name = symbols_find(symbols_of(names, origin), address, offset);
    is_file = !g_str_has_prefix(origin->attachment, CODE_TABLE_KALLSYMS);
    if (!name && !is_file)
        return NULL;
    name = name ? shown_name(names, name) : NULL;
    file = g_path_get_basename(origin->path);
    if (name && is_file && !strchr(origin->path, '/')) /* what is no file of the guest's is told as modules are */
        text = g_strdup_printf("%s [%s]", name, file);
    else
        text = g_strdup(name ? name : file);
    return text_make_printable(text);
}
