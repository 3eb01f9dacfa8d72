/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copies of batches, or of some of their records. */
#ifndef MEMORY_TRACER_SOURCE_BATCH_COPY_H
#define MEMORY_TRACER_SOURCE_BATCH_COPY_H

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

#include "../../include/memory_tracer/trace.h"

/* One copy after the other, in memory that is used again. */
typedef struct BatchCopy BatchCopy;

BatchCopy *batch_copy_new(void);
void batch_copy_free(BatchCopy *copy);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BatchCopy, batch_copy_free)

/* Copies the batch, which has no more than 2^32 records. The result belongs to `copy`, and is valid until the next
 * call. */
const struct mt_batch *batch_copy_all(BatchCopy *copy, const struct mt_batch *batch);
/* The same with the records of these numbers only, at least one of them, in this order: they have indexes then. All
 * events are copied, each of which stands before the first of these records that was behind it. */
const struct mt_batch *batch_copy_some(BatchCopy *copy, const struct mt_batch *batch, const uint32_t *some,
                                       size_t count);

#endif
