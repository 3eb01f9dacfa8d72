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

/* `columns`: those that are wanted (enum mt_columns); `fields`: the file's (enum format_fields). */
Decoder *decoder_new(unsigned columns, unsigned fields);
void decoder_free(Decoder *decoder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Decoder, decoder_free)

/* Begins a block. `payload` is used during the call only. False with *problem, which says what is wrong with the block.
 */
bool decoder_begin(Decoder *decoder, const uint8_t *payload, size_t bytes, unsigned vcpus, const char **problem);

/* Decodes the next records, as long as they are neighbours in the trace, have the same time (if times are wanted) and
 * fit into a batch. Fills in `batch`, whose arrays are valid until the next call. Returns 1; 0 at the block's end; -1
 * with *problem. */
int decoder_next(Decoder *decoder, struct mt_batch *batch, const char **problem);

/* The index of the next record in the trace, or UINT64_MAX at the block's end. */
uint64_t decoder_position(const Decoder *decoder);

/* Checks a block's header. Returns NULL, or what is wrong with it. */
const char *decoder_check_header(const struct format_block *header, unsigned vcpus);

#endif
