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

/* Which records are wanted, as GOption leaves it; input_open() parses it. */
typedef struct Selection {
    char *events, *address, *pc, *process, *thread;
    char **functions, **objects, **regions;
    int cpl, vcpu; /* SELECTION_ANY: all */
    gboolean loads, stores;
    char *format;
} Selection;

#define SELECTION_INIT                                                                                                 \
    {                                                                                                                  \
        .cpl = SELECTION_ANY, .vcpu = SELECTION_ANY                                                                    \
    }

/* A table for options_parse(): `own` (ended by a NULL name), then the options that fill `selection`. The caller frees
 * it. */
GOptionEntry *selection_entries(Selection *selection, const GOptionEntry *own);
/* The same options for analyses of a running guest: those that need no trace. */
GOptionEntry *selection_live_entries(Selection *selection, const GOptionEntry *own);
/* One of these that was given, without dashes; NULL: none was. */
const char *selection_live_option(const Selection *selection);
void selection_clear(Selection *selection);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Selection, selection_clear)

/* The parts of a selection that need no trace to be parsed. */
typedef struct SelectionRanges {
    Range events;
    Range address, pc; /* everything, if the option is a name */
    enum mt_format format;
} SelectionRanges;

/* Parses these parts. False with an error of usage if one makes no sense. */
bool selection_parse(const Selection *selection, SelectionRanges *ranges, GError **error);
/* Whether an access to `bytes` bytes touches the range, whose end may be UINT64_MAX for all that follows. */
static inline bool selection_touches(const Range *range, uint64_t address, unsigned bytes)
{
    return address + bytes - 1 >= range->begin && (address < range->end || range->end == UINT64_MAX);
}
/* The format that --format names (NULL: MT_FORMAT_AUTO). False with an error of usage if there is no such format. */
bool selection_parse_format(const char *name, enum mt_format *format, GError **error);

#endif
