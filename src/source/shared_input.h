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

/* For this many readers and helpers, each a thread of its own. All readers must go on reading until the end, or until
 * they call shared_input_stop(): a slow reader makes the others wait. The input must outlive it, and nobody else may
 * read it. */
SharedInput *shared_input_new(Input *input, unsigned readers, unsigned helpers);
void shared_input_free(SharedInput *shared);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SharedInput, shared_input_free)

/* Readers need some records only. Writes the numbers of those of a batch, in their order, to `kept`, which has room for
 * all, and returns how many they are; `data` is of the thread that decodes the batch, and may note what it likes of all
 * records. */
typedef size_t (*SharedInputThin)(void *data, const struct mt_batch *batch, uint32_t *kept);
/* Before the first batch of a reader, or of a helper (whose numbers follow those of the readers); for all of them or
 * none. Which of them decodes what is left to chance, so they must find the same records. */
void shared_input_set_thin(SharedInput *shared, unsigned thread, SharedInputThin thin, void *data);

/* The reader's next batch, valid until its next call. NULL at the end; NULL with an error, which every reader gets. */
const struct mt_batch *shared_input_next(SharedInput *shared, unsigned reader, GError **error);
/* A helper's work: decodes for the readers, until the end. */
void shared_input_help(SharedInput *shared, unsigned helper);
/* A reader or helper gives up. The other readers, too, end with what was decoded last. */
void shared_input_stop(SharedInput *shared, unsigned thread);

#endif
