/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events: rows that are not accesses, but say that a task goes on, or that a translated block is executed. Each kind
 * has a column in a trace file's blocks: see doc/trace_format.md, "events".
 */
#ifndef MEMORY_TRACER_TRACE_EVENTS_H
#define MEMORY_TRACER_TRACE_EVENTS_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../include/memory_tracer/trace.h"

/* Makes the column of one kind of event, for one block after the other. */
typedef struct EventWriter EventWriter;

EventWriter *event_writer_new(void);
void event_writer_free(EventWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EventWriter, event_writer_free)

/* Adds an event that stands before the block's access `access`. False: the column is full. */
bool event_writer_add(EventWriter *writer, uint32_t access, uint32_t number);
/* Ends a block's column and begins the next block. Returns the column, which is valid until the next call. */
const uint8_t *event_writer_finish(EventWriter *writer, size_t *bytes);

/* Reads such a column, which is not trusted. */
typedef struct EventReader EventReader;

EventReader *event_reader_new(void);
void event_reader_free(EventReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EventReader, event_reader_free)

/* Begins a block of this many accesses. The column must stay valid while the block is read. Returns NULL, or what is
 * wrong. */
const char *event_reader_begin(EventReader *reader, const uint8_t *column, const uint8_t *end, uint32_t accesses);
/* Decodes the events among the next `*count` accesses. Reduces *count if there are too many for one batch, to 0 if they
 * all stand before the next access. Returns NULL, or what is wrong. */
const char *event_reader_look(EventReader *reader, uint32_t *count);
/* The events among the next `count` accesses, as event_reader_look() has set it; goes on behind these accesses. The
 * events are valid until the next call. */
struct mt_events event_reader_take(EventReader *reader, uint32_t count);
/* Whether no event is left in the block. */
bool event_reader_is_done(const EventReader *reader);

/* Records of a batch between two events: `begin` to `end` - 1. */
typedef struct EventRun {
    size_t begin, end;
    uint32_t number; /* of the last event before them */
    size_t event;    /* how many of the batch's events come before `end` */
} EventRun;

/* Goes on to the next run of a batch of `count` records. The caller sets *run to all zeros first. False at the batch's
 * end. */
bool events_next_run(const struct mt_events *events, size_t count, EventRun *run);

/* For a batch's record `i`: the number of the last event before it; and its index in the trace. */
uint32_t events_before(const struct mt_events *events, size_t i);
static inline uint64_t events_index(const struct mt_batch *batch, size_t i)
{
    return batch->index ? batch->index[i] : batch->first + i;
}

#endif
