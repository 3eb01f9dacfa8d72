/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes the blocks of a trace file: see doc/trace_format.md, "block". */
#ifndef MEMORY_TRACER_TRACE_ENCODER_H
#define MEMORY_TRACER_TRACE_ENCODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../ring/ring.h"

/* Makes one block after the other, of one vCPU's records. */
typedef struct Encoder Encoder;

/* `fields`: enum mt_fields. A block holds at most `block_records` (1 to FORMAT_MAX_RECORDS). */
Encoder *encoder_new(unsigned vcpu, unsigned fields, uint32_t block_records);
void encoder_free(Encoder *encoder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Encoder, encoder_free)

/*
 * Adds `count` records, as rows of a ring with the encoder's fields. `first` is the index of the first one in the
 * trace, `time_ns` their time (ignored without MT_FIELD_TIME). Returns how many it took. Those are fewer if there is an
 * event among the rows (it ends before it), or if the block is full: then the caller finishes the block.
 */
size_t encoder_add(Encoder *encoder, const void *records, size_t count, uint64_t first, uint64_t time_ns);

/* Adds an event before the next record. `kind` is of enum row_event, and one of the encoder's fields. False if the
 * block has too many events: then the caller finishes the block. */
bool encoder_add_event(Encoder *encoder, unsigned kind, uint32_t number);

/* With MT_FIELD_PADDR: an event ROW_EVENT_FRAME of this number stands before the next record. */
void encoder_set_frame(Encoder *encoder, uint64_t event);

/* How many records the block has so far. */
uint32_t encoder_records(const Encoder *encoder);
/* The input that the records come from, for the block's header. To be set while the block is empty. */
void encoder_set_input(Encoder *encoder, unsigned input);
unsigned encoder_input(const Encoder *encoder);
/* The highest number of an instruction that the block has. */
uint32_t encoder_last_instruction(const Encoder *encoder);

/*
 * Ends the block, which must not be empty, and starts the next one. Returns its payload, which is valid until the next
 * call. `dropped`, `known`: as in the block's header. NULL if zstd fails (no memory).
 */
const uint8_t *encoder_finish(Encoder *encoder, uint64_t dropped, uint64_t known, size_t *bytes);

#endif
