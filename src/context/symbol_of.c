/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The library's names of instructions: mt_symbol_of(). */
#include "../trace/trace_private.h"
#include "names.h"

static void free_names(void *names)
{
    names_free(names);
}

const struct mt_symbol *mt_symbol_of(mt_trace *trace, uint32_t number)
{
    const struct mt_symbol *symbol;

    g_mutex_lock(&trace->names_lock);
    if (!trace->names) {
        trace->names = names_new(trace, false); /* a library doesn't write to standard error */
        trace->free_names = free_names;
    }
    symbol = names_symbol(trace->names, number);
    g_mutex_unlock(&trace->names_lock);
    return symbol;
}
