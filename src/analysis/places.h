/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which instructions and functions something happened at most often, and to what. */
#ifndef MEMORY_TRACER_ANALYSIS_PLACES_H
#define MEMORY_TRACER_ANALYSIS_PLACES_H

#include <glib.h>
#include <stdint.h>

#include "../context/context.h"
#include "../report/report.h"

/* Counts by the number of the instruction, or of the object (context_object_at()). Zeros are an empty one. */
typedef struct Places {
    uint64_t *counts;
    uint32_t room;
    uint64_t total;
} Places;

void places_clear(Places *places);
void places_make_room(Places *places, uint32_t number);

static inline void places_add(Places *places, uint32_t number)
{
    if (G_UNLIKELY(number >= places->room))
        places_make_room(places, number);
    places->counts[number]++;
    places->total++;
}

/* Adds another one's counts. */
void places_merge(Places *places, const Places *other);

/* Tables of the `top` instructions and functions of each list: misses of the level of that name. Nothing if the context
 * doesn't know instructions. */
void places_describe(const Places *places, const char *const *names, unsigned lists, guint top, const Context *context,
                     Report *report);

/* A table of the `top` objects of each list, whose counts are by objects. Nothing if the context doesn't know them. */
void places_describe_objects(const Places *places, const char *const *names, unsigned lists, guint top,
                             const Context *context, Report *report);

#endif
