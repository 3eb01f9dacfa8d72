/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which objects and regions accesses must go to: --object and --region. */
#ifndef MEMORY_TRACER_SOURCE_OBJECT_SELECTION_H
#define MEMORY_TRACER_SOURCE_OBJECT_SELECTION_H

#include <glib.h>
#include <stdbool.h>

#include "../../include/memory_tracer/trace.h"
#include "../context/address_objects.h"

typedef struct ObjectSelection ObjectSelection;

/*
 * `objects` are patterns with the wildcards * and ? (NULL: any object). One of them must match: a variable's name as
 * programmers write it or as the linker has it, another object's whole name, or the last part of a path. `regions` are
 * regions' words (NULL: any region). NULL with an error if a word is no region's, or if the trace is a stream. The
 * trace must outlive the result, which the caller frees.
 */
ObjectSelection *object_selection_new(mt_trace *trace, char **objects, char **regions, GError **error);
/* The same for objects that the caller has made; the selection frees them. `regions` were checked. */
ObjectSelection *object_selection_new_of(AddressObjects *taken, char **objects, char **regions);
void object_selection_free(ObjectSelection *selection);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ObjectSelection, object_selection_free)

/* Whether all of these words are regions'; else an error of usage. NULL is fine. */
bool object_selection_check(char **regions, GError **error);

/* Finds out what each record of a batch goes to. The batch must have ADDRESS_OBJECTS_COLUMNS. */
void object_selection_look_at(ObjectSelection *selection, const struct mt_batch *batch);
/* Whether record `i` of the batch that was looked at last is wanted. */
bool object_selection_wants(ObjectSelection *selection, size_t i);

/* What was asked for that nothing was so far: "an object 'x'"; NULL: something was each of the names and regions. To be
 * freed. `all` (ObjectSelection) have seen parts of the same accesses. */
char *object_selection_missing(const GPtrArray *all);

#endif
