/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which accesses of a running guest are analysed: the options of selection.h, without those that need a trace. */
#ifndef MEMORY_TRACER_RUN_LIVE_SELECTION_H
#define MEMORY_TRACER_RUN_LIVE_SELECTION_H

#include "../context/context.h"
#include "../source/selection.h"

typedef struct LiveSelection LiveSelection;

/* Whether the options make sense while a guest runs. False with an error of usage. */
bool live_selection_check(const Selection *options, GError **error);
/* The columns that batches must have (enum mt_columns). */
unsigned live_selection_columns(const Selection *options);
/* Whether it depends on what the guest's changes say: then each change must take place between two batches. */
bool live_selection_follows_changes(const Selection *options);

/* The options and the context must outlive it. With --function, the context must name code (context_name_code()). NULL
 * with an error if the guest doesn't tell what is asked for. */
LiveSelection *live_selection_new(const Selection *options, Context *context, GError **error);
void live_selection_free(LiveSelection *selection);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LiveSelection, live_selection_free)

/* Leaves the wanted records in a batch of at most RING_COLUMNS_RECORDS. Its columns must be writable, and so must
 * `events`, the batch's own. The batch's indexes are valid until the next call. */
void live_selection_apply(LiveSelection *selection, struct mt_batch *batch, struct mt_event *events);

/* Appends a line (char *) for each name and number that was asked for and that nothing had. */
void live_selection_list_unknown(const LiveSelection *selection, GPtrArray *lines);

#endif
