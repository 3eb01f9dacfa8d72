/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The library's names of instructions, and where they lie: mt_symbol_of(), mt_symbol_at() and mt_pc_at(). */
#include "../trace/trace_private.h"
#include "names.h"

static void free_names(void *names)
{
    names_free(names);
}

/* The caller holds names_lock. */
static Names *names_of(mt_trace *trace)
{
    if (!trace->names) {
        trace->names = names_new(trace, false); /* a library doesn't write to standard error */
        trace->free_names = free_names;
    }
    return trace->names;
}

const struct mt_symbol *mt_symbol_of(mt_trace *trace, uint32_t number)
{
    const struct mt_symbol *symbol;

    g_mutex_lock(&trace->names_lock);
    symbol = names_symbol(names_of(trace), number);
    g_mutex_unlock(&trace->names_lock);
    return symbol;
}

const struct mt_symbol *mt_symbol_at(mt_trace *trace, const struct mt_batch *batch, size_t i)
{
    const struct mt_symbol *symbol;
    Names *names;

    if (!batch->instruction)
        return NULL;
    g_mutex_lock(&trace->names_lock);
    names = names_of(trace);
    symbol = names_symbol_in(names, names_memory_at(names, batch, i), batch->instruction[i]);
    g_mutex_unlock(&trace->names_lock);
    return symbol;
}

uint64_t mt_pc_at(mt_trace *trace, const struct mt_batch *batch, size_t i)
{
    uint64_t pc;

    if (!batch->instruction)
        return 0;
    g_mutex_lock(&trace->names_lock);
    pc = names_pc_at(names_of(trace), batch, i);
    g_mutex_unlock(&trace->names_lock);
    return pc;
}
