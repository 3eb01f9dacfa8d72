/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records that several threads all need. Each thread gets all batches, in order; each batch is decoded once, by
 * whichever thread has time. Memory: copies of some 64 Ki records, however long the trace is.
 */
#ifndef MEMORY_TRACER_SOURCE_SHARED_INPUT_H
#define MEMORY_TRACER_SOURCE_SHARED_INPUT_H

#include "input.h"

typedef struct SharedInput SharedInput;

/* For this many readers, each a thread of its own. All of them must go on reading until the end, or until they call
 * shared_input_stop(): a slow reader makes the others wait. The input must outlive it, and nobody else may read it. */
SharedInput *shared_input_new(Input *input, unsigned readers);
void shared_input_free(SharedInput *shared);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SharedInput, shared_input_free)

/* Writes the numbers of the records of a batch that readers look at, in their order, to `kept`, which has room for all.
 * Returns how many they are. */
typedef size_t (*SharedInputThin)(const void *data, const struct mt_batch *batch, uint32_t *kept);
/* Readers look at some records only: of what this reader decodes, `thin` finds them, in its thread. Before the reader's
 * first batch; of all readers or none, which must come to the same. */
void shared_input_set_thin(SharedInput *shared, unsigned reader, SharedInputThin thin, const void *data);
/* Which those of the reader's current batch are, valid as long as that is. */
const uint32_t *shared_input_kept(const SharedInput *shared, unsigned reader, size_t *count);

/* The reader's next batch, valid until its next call. NULL at the end; NULL with an error, which every reader gets. */
const struct mt_batch *shared_input_next(SharedInput *shared, unsigned reader, GError **error);
/* A reader gives up. The other readers, too, end with what was decoded last. */
void shared_input_stop(SharedInput *shared, unsigned reader);

#endif
