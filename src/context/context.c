/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What records belong to: see context.h. */
#include "context.h"

#include <stdlib.h>

#include "symbols.h"

struct Context {
    mt_trace *trace; /* or */
    const Ring *ring;
    Symbols *symbols;
};

static void add_libraries(Symbols *symbols, const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (char **line = lines; *line; line++) {
        char *path;
        uint64_t bias = g_ascii_strtoull(*line, &path, 16);

        if (path > *line && *path == ' ')
            symbols_add_elf(symbols, path + 1, bias);
    }
}

static void load_symbols(Context *context)
{
    size_t bytes;
    char *kallsyms = mt_trace_attachment(context->trace, "kallsyms", &bytes, NULL);
    char *libraries = mt_trace_attachment(context->trace, "libraries", &bytes, NULL);

    if (kallsyms)
        symbols_add_kallsyms(context->symbols, kallsyms);
    if (libraries)
        add_libraries(context->symbols, libraries);
    free(kallsyms);
    free(libraries);
}

Context *context_new(mt_trace *trace)
{
    Context *context = g_new0(Context, 1);

    context->trace = trace;
    context->symbols = symbols_new();
    if (trace)
        load_symbols(context);
    return context;
}

Context *context_new_live(const Ring *ring)
{
    Context *context = g_new0(Context, 1);

    context->ring = ring;
    context->symbols = symbols_new();
    return context;
}

void context_free(Context *context)
{
    if (!context)
        return;
    symbols_free(context->symbols);
    g_free(context);
}

bool context_has_instructions(const Context *context)
{
    if (context->ring)
        return ring_fields(context->ring) & RING_INSTRUCTIONS;
    return context->trace && mt_trace_fields(context->trace) & MT_FIELD_INSTRUCTION;
}

const struct mt_instruction *context_instruction(const Context *context, uint32_t number)
{
    if (!context->ring)
        return context->trace ? mt_trace_instruction(context->trace, number) : NULL;
    /* A ring's begin as a file's do (trace/reader.c). */
    return number && number < ring_instructions(context->ring)
               ? (const struct mt_instruction *)ring_get_instruction(context->ring, number)
               : NULL;
}

const char *context_function(const Context *context, uint32_t number, uint64_t *offset)
{
    const struct mt_instruction *instruction = context_instruction(context, number);

    return instruction ? symbols_find(context->symbols, instruction->pc, offset) : NULL;
}
