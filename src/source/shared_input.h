/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records that several threads all need: each of them is given all batches, in order, and each batch is decoded once,
 * by whichever thread has time. Memory: copies of some 64 Ki records, however long the trace is.
 */
#ifndef MEMORY_TRACER_SOURCE_SHARED_INPUT_H
#define MEMORY_TRACER_SOURCE_SHARED_INPUT_H

#include "input.h"

typedef struct SharedInput SharedInput;

/* For so many readers, each a thread of its own: all of them must go on reading, up to the end or shared_input_stop(),
 * as one that stays behind keeps the others waiting. The input must stay; nobody else reads it. */
SharedInput *shared_input_new(Input *input, unsigned readers);
void shared_input_free(SharedInput *shared);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SharedInput, shared_input_free)

/* The reader's next batch, valid until its next call. NULL at the end, and with an error, which each reader gets. */
const struct mt_batch *shared_input_next(SharedInput *shared, unsigned reader, GError **error);
/* A reader gives up: to the others, too, what was decoded last is the end. */
void shared_input_stop(SharedInput *shared, unsigned reader);

#endif
