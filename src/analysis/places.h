/* SPDX-License-Identifier: GPL-2.0-or-later */
/* At which instructions and functions, and for which objects, something happened most often. */
#ifndef MEMORY_TRACER_ANALYSIS_PLACES_H
#define MEMORY_TRACER_ANALYSIS_PLACES_H

#include <glib.h>
#include <stdint.h>

#include "../context/context.h"
#include "../report/report.h"

/* Counts by the number of the instruction, or of the object (context_object_at()). All zeros are empty counts. */
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

/* Adds the counts of another one. */
void places_merge(Places *places, const Places *other);

/* Adds tables of the `top` instructions and functions of each list, which has the misses of the level of its name. Adds
 * nothing if the context has no instructions. */
void places_describe(const Places *places, const char *const *names, unsigned lists, guint top, const Context *context,
                     Report *report);

/* Adds a table of the `top` objects of each list, whose counts are by objects. Adds nothing if the context has none. */
void places_describe_objects(const Places *places, const char *const *names, unsigned lists, guint top,
                             const Context *context, Report *report);

#endif
