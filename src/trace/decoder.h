/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the blocks of a trace file: see doc/trace_format.md, "block". Trusts nothing that it reads. */
#ifndef MEMORY_TRACER_TRACE_DECODER_H
#define MEMORY_TRACER_TRACE_DECODER_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../include/memory_tracer/trace.h"
#include "format.h"

/* One decoder reads one block after the other. */
typedef struct Decoder Decoder;

/* `columns`: the ones wanted, MT_COLUMN_...; `fields`: enum format_fields, as the file has them. */
Decoder *decoder_new(unsigned columns, unsigned fields);
void decoder_free(Decoder *decoder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Decoder, decoder_free)

/* Begins a block. `payload` is used during the call only. On failure, *problem says what is wrong with it. */
bool decoder_begin(Decoder *decoder, const uint8_t *payload, size_t bytes, unsigned vcpus, const char **problem);

/* Decodes the next records: as many as are neighbours, have the same time (if it is wanted) and fit. Fills in `batch`,
 * whose arrays are valid until the next call. Returns 1; 0 at the block's end; -1 with *problem. */
int decoder_next(Decoder *decoder, struct mt_batch *batch, const char **problem);

/* The index of the next record in the trace, or UINT64_MAX at the block's end. */
uint64_t decoder_position(const Decoder *decoder);

/* Reads a block's header. NULL: it is fine; else what is wrong with it. */
const char *decoder_check_header(const struct format_block *header, unsigned vcpus);

#endif
