/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options that select some of a trace's records. */
#ifndef MEMORY_TRACER_SOURCE_SELECTION_H
#define MEMORY_TRACER_SOURCE_SELECTION_H

#include <glib.h>
#include <stdbool.h>

#include "../../include/memory_tracer/trace.h"

/* From `begin` to `end` - 1. */
typedef struct Range {
    uint64_t begin, end;
} Range;

#define SELECTION_ANY G_MININT

/* Which records are wanted. As GOption leaves them; input_open() understands them. */
typedef struct Selection {
    char *events, *address, *pc, *process, *thread;
    char **functions, **objects, **regions;
    int cpl, vcpu; /* or SELECTION_ANY */
    gboolean loads, stores;
    char *format;
} Selection;

#define SELECTION_INIT                                                                                                 \
    {                                                                                                                  \
        .cpl = SELECTION_ANY, .vcpu = SELECTION_ANY                                                                    \
    }

/* The table for options_parse(): `own` (ended by a NULL name), then those of `selection`. To be freed. */
GOptionEntry *selection_entries(Selection *selection, const GOptionEntry *own);
void selection_clear(Selection *selection);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Selection, selection_clear)

/* What of a selection is understood without the trace. */
typedef struct SelectionRanges {
    Range events;
    Range address, pc; /* all, if they are names */
    enum mt_format format;
} SelectionRanges;

/* Understands it. False, with an error, if something can't be meant. */
bool selection_parse(const Selection *selection, SelectionRanges *ranges, GError **error);
/* The format of that name (NULL: to be found out). */
bool selection_parse_format(const char *name, enum mt_format *format, GError **error);

#endif
