/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows that are no accesses (events): a task goes on, a translated block is executed. Each kind has a column in a
 * trace file's blocks: see doc/trace_format.md, "events".
 */
#ifndef MEMORY_TRACER_TRACE_EVENTS_H
#define MEMORY_TRACER_TRACE_EVENTS_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../include/memory_tracer/trace.h"

/* Makes one kind's column of one block after the other. */
typedef struct EventWriter EventWriter;

EventWriter *event_writer_new(void);
void event_writer_free(EventWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EventWriter, event_writer_free)

/* Adds an event that stands before the block's access `access`. False: the column is full. */
bool event_writer_add(EventWriter *writer, uint32_t access, uint32_t number);
/* Ends a block's column and begins the next block. Returns the column, which is valid until the next call. */
const uint8_t *event_writer_finish(EventWriter *writer, size_t *bytes);

/* Reads it. */
typedef struct EventReader EventReader;

EventReader *event_reader_new(void);
void event_reader_free(EventReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EventReader, event_reader_free)

/* Begins a block of so many accesses, whose column must stay where it is. Returns NULL, or what is wrong. */
const char *event_reader_begin(EventReader *reader, const uint8_t *column, const uint8_t *end, uint32_t accesses);
/* Looks at the events among the next `*count` accesses, and makes that fewer if they are too many for one batch: 0, if
 * there are so many before the next access. Returns NULL, or what is wrong. */
const char *event_reader_look(EventReader *reader, uint32_t *count);
/* Hands them out, and passes the accesses. */
struct mt_events event_reader_take(EventReader *reader, uint32_t count);
/* Whether none is left. */
bool event_reader_is_done(const EventReader *reader);

/* A batch's record `i`: the number of the last event before it, or right before it; and its index in the trace. */
uint32_t events_before(const struct mt_events *events, size_t i);
static inline uint64_t events_index(const struct mt_batch *batch, size_t i)
{
    return batch->index ? batch->index[i] : batch->first + i;
}

#endif
