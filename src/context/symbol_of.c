/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The library's names of instructions: mt_symbol_of() and mt_symbol_at(). */
#include "../record/change.h"
#include "../trace/events.h"
#include "../trace/trace_private.h"
#include "names.h"

static void free_names(void *names)
{
    names_free(names);
}

/* Under the lock. */
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
    uint64_t index = events_index(batch, i);
    const struct mt_task *task = mt_task_at(trace, batch, i, NULL);
    const struct mt_symbol *symbol;
    uint64_t from, until;
    uint32_t memory;
    Names *names;

    if (!batch->instruction)
        return NULL;
    g_mutex_lock(&trace->names_lock);
    names = names_of(trace);
    memory = task ? task_memory_at(names_task_memory(names), task->number, index, &from, &until) : 0;
    symbol = names_symbol_in(names, memory, batch->instruction[i]);
    g_mutex_unlock(&trace->names_lock);
    return symbol;
}
