/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events: see events.h. A program that takes the same path again executes the same blocks, with the same number of
 * accesses between them. So the prediction for an event is what followed the event before it last time.
 */
#include "events.h"

#include <string.h>

#include "format.h"

#define BATCH_EVENTS 4096 /* at most, of one batch */

/* What followed an event last time. */
typedef struct {
    uint32_t gap, number; /* accesses between them; the event's number */
} Successor;

typedef struct {
    uint32_t number; /* the event before; at a block's beginning, the last event of the block before */
    Successor after[1 << FORMAT_EVENT_TABLE_BITS];
} Predictor;

static Successor *successor(Predictor *predictor)
{
    return &predictor->after[predictor->number & ((1u << FORMAT_EVENT_TABLE_BITS) - 1)];
}

/* Writing. */

struct EventWriter {
    Predictor predictor;
    uint32_t state;         /* the number of the last event before the block */
    uint32_t access;        /* the access that the last event stands before */
    uint64_t events, right; /* events in the block; events since the last exception */
    GByteArray *exceptions, *column;
};

EventWriter *event_writer_new(void)
{
    EventWriter *writer = g_new0(EventWriter, 1);

    writer->exceptions = g_byte_array_new();
    writer->column = g_byte_array_new();
    return writer;
}

void event_writer_free(EventWriter *writer)
{
    if (!writer)
        return;
    g_byte_array_unref(writer->exceptions);
    g_byte_array_unref(writer->column);
    g_free(writer);
}

bool event_writer_add(EventWriter *writer, uint32_t access, uint32_t number)
{
    Successor *expected = successor(&writer->predictor);
    const Successor event = { access - writer->access, number };

    if (writer->events == FORMAT_MAX_EVENTS || writer->exceptions->len > FORMAT_MAX_EVENT_BYTES - 5 * VARINT_MAX_BYTES)
        return false;
    if (expected->gap == event.gap && expected->number == event.number) {
        writer->right++;
    } else {
        varint_append(writer->exceptions, writer->right);
        varint_append(writer->exceptions, event.gap);
        varint_append(writer->exceptions, event.number);
        writer->right = 0;
        *expected = event;
    }
    writer->predictor.number = number;
    writer->access = access;
    writer->events++;
    return true;
}

const uint8_t *event_writer_finish(EventWriter *writer, size_t *bytes)
{
    g_byte_array_set_size(writer->column, 0);
    if (writer->state || writer->events) {
        varint_append(writer->column, writer->state);
        varint_append(writer->column, writer->events);
        g_byte_array_append(writer->column, writer->exceptions->data, writer->exceptions->len);
    }
    *bytes = writer->column->len;
    g_byte_array_set_size(writer->exceptions, 0);
    memset(writer->predictor.after, 0, sizeof writer->predictor.after);
    writer->state = writer->predictor.number;
    writer->access = 0;
    writer->events = writer->right = 0;
    return writer->column->data;
}

/* Reading. */

struct EventReader {
    Predictor predictor;
    const uint8_t *next, *end;
    uint32_t accesses, access; /* accesses in the block; the access that the last decoded event stands before */
    uint64_t left, right;      /* events not decoded yet; those of them before the next exception */
    uint32_t done;             /* accesses that were returned */
    uint32_t state;            /* the number of the last event before access `done` */
    size_t taken, ahead;       /* how many of `event` were returned; how many were decoded */
    struct mt_event event[BATCH_EVENTS]; /* `before`: counted from the block's beginning, or the batch's once taken */
};

EventReader *event_reader_new(void)
{
    return g_new0(EventReader, 1);
}

void event_reader_free(EventReader *reader)
{
    g_free(reader);
}

static bool get(EventReader *reader, uint64_t *value)
{
    if (reader->next)
        reader->next = varint_get(reader->next, reader->end, value);
    return reader->next;
}

static const char *next_exception(EventReader *reader)
{
    reader->right = UINT64_MAX;
    return reader->next == reader->end || get(reader, &reader->right) ? NULL : "a block's events are damaged";
}

const char *event_reader_begin(EventReader *reader, const uint8_t *column, const uint8_t *end, uint32_t accesses)
{
    uint64_t state = 0;

    memset(reader->predictor.after, 0, sizeof reader->predictor.after);
    reader->next = column;
    reader->end = end;
    reader->accesses = accesses;
    reader->left = reader->access = reader->done = 0;
    reader->taken = reader->ahead = 0;
    if (column != end && (!get(reader, &state) || !get(reader, &reader->left) || state > UINT32_MAX ||
                          reader->left > FORMAT_MAX_EVENTS)) {
        reader->left = 0;
        return "a block's events are damaged";
    }
    reader->state = reader->predictor.number = (uint32_t)state;
    return next_exception(reader);
}

static const char *decode_event(EventReader *reader)
{
    Successor *expected = successor(&reader->predictor);
    const char *problem = NULL;

    if (!reader->right) {
        uint64_t gap, number;

        if (!get(reader, &gap) || !get(reader, &number) || gap > UINT32_MAX || number > UINT32_MAX)
            return "a block's events are damaged";
        *expected = (Successor){ (uint32_t)gap, (uint32_t)number };
        problem = next_exception(reader);
    } else if (reader->right != UINT64_MAX) {
        reader->right--;
    }
    if (problem || expected->gap > reader->accesses - reader->access)
        return "a block's events are damaged";
    reader->access += expected->gap;
    reader->predictor.number = expected->number;
    reader->event[reader->ahead++] = (struct mt_event){ reader->access, expected->number };
    reader->left--;
    return NULL;
}

const char *event_reader_look(EventReader *reader, uint32_t *count)
{
    uint32_t end = reader->done + *count;

    reader->ahead -= reader->taken;
    memmove(reader->event, reader->event + reader->taken, reader->ahead * sizeof *reader->event);
    reader->taken = 0;
    while (reader->left && reader->ahead < BATCH_EVENTS && (!reader->ahead || reader->access <= end)) {
        const char *problem = decode_event(reader);

        if (problem)
            return problem;
    }
    if (!reader->left && reader->right != UINT64_MAX)
        return "a block has more events than it says";
    if (reader->ahead == BATCH_EVENTS && reader->access < end) /* more may follow before this access */
        *count = reader->access - reader->done;
    return NULL;
}

struct mt_events event_reader_take(EventReader *reader, uint32_t count)
{
    struct mt_events events = { .state = reader->state, .event = reader->event };
    uint32_t end = reader->done + count;
    /* Events behind the last access belong to its batch, if all of them were decoded. */
    bool with_last = !count || (end == reader->accesses && !reader->left);

    while (reader->taken < reader->ahead &&
           (reader->event[reader->taken].before < end || (with_last && reader->event[reader->taken].before == end))) {
        struct mt_event *event = &reader->event[reader->taken++];

        event->before -= reader->done;
        reader->state = event->number;
    }
    events.count = reader->taken;
    reader->done = end;
    return events;
}

bool event_reader_is_done(const EventReader *reader)
{
    return !reader->left && reader->taken == reader->ahead;
}

uint32_t events_before(const struct mt_events *events, size_t i)
{
    size_t first = 0, end = events->count;

    while (first < end) {
        size_t middle = first + (end - first) / 2;

        if (events->event[middle].before <= i)
            first = middle + 1;
        else
            end = middle;
    }
    return first ? events->event[first - 1].number : events->state;
}

bool events_next_run(const struct mt_events *events, size_t count, EventRun *run)
{
    if (run->end >= count)
        return false;
    run->begin = run->end;
    while (run->event < events->count && events->event[run->event].before <= run->begin)
        run->event++;
    run->number = run->event ? events->event[run->event - 1].number : events->state;
    run->end = run->event < events->count ? MIN(events->event[run->event].before, count) : count;
    return true;
}
