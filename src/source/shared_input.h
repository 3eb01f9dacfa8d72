/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records that several threads all need. Each thread gets all batches, in order, or what shared_input_set_thin() leaves
 * of them; each batch is decoded once, by whichever thread has time. Memory: copies of some 256 Ki records, however
 * long the trace is.
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

/* Readers need some records only. Writes the numbers of those of a batch, in their order, to `kept`, which has room for
 * all, and returns how many they are; `data` is the reader's that decodes the batch, and may note what it likes of all
 * records. */
typedef size_t (*SharedInputThin)(void *data, const struct mt_batch *batch, uint32_t *kept);
/* Before the reader's first batch; for all readers or none. Which of them decodes what is left to chance, so they must
 * find the same records. */
void shared_input_set_thin(SharedInput *shared, unsigned reader, SharedInputThin thin, void *data);

/* The reader's next batch, valid until its next call. NULL at the end; NULL with an error, which every reader gets. */
const struct mt_batch *shared_input_next(SharedInput *shared, unsigned reader, GError **error);
/* A reader gives up. The other readers, too, end with what was decoded last. */
void shared_input_stop(SharedInput *shared, unsigned reader);

#endif
