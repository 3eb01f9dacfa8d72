/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When each access took place: see clock.h. A chunk's time is when it was handed over, so its records were made
 * between the time of the same vCPU's chunk before it and its own time. They are spread evenly over that interval. A
 * second reader, of the times only, reads ahead as far as is needed to know where a chunk ends.
 */
#include "clock.h"

#define MAX_VCPUS 256
#define PS_PER_NS 1000
/* How far before the first record reading begins, so that the chunk before it is seen. */
#define RUN_UP (UINT64_C(4) << 20)

/* Records of a vCPU that have the same time; those of others may lie between them. */
typedef struct {
    uint64_t first, end; /* indexes in the trace */
    uint64_t begin_ns, end_ns;
} Chunk;

struct ConvertClock {
    mt_reader *reader;        /* NULL: at the end */
    bool knows_begin;         /* tracing began at 0 with the first record that is read */
    GQueue chunks[MAX_VCPUS]; /* Chunk: the first one has the record asked for, the last one may still grow */
};

ConvertClock *convert_clock_new(mt_trace *trace, JsonObject *metadata, uint64_t first_index)
{
    ConvertClock *clock = g_new0(ConvertClock, 1);

    for (unsigned i = 0; i < MAX_VCPUS; i++)
        g_queue_init(&clock->chunks[i]);
    clock->reader = mt_reader_new(trace, MT_COLUMN_TIME, NULL);
    clock->knows_begin = first_index <= RUN_UP && !json_object_has_member(metadata, "derived_by") &&
                         !(json_object_has_member(metadata, "roi") && json_object_get_boolean_member(metadata, "roi"));
    if (first_index > RUN_UP)
        mt_reader_seek(clock->reader, first_index - RUN_UP, NULL);
    return clock;
}

void convert_clock_free(ConvertClock *clock)
{
    if (!clock)
        return;
    mt_reader_free(clock->reader);
    for (unsigned i = 0; i < MAX_VCPUS; i++)
        g_queue_clear_full(&clock->chunks[i], g_free);
    g_free(clock);
}

static void add_batch(ConvertClock *clock, const struct mt_batch *batch)
{
    GQueue *chunks = &clock->chunks[batch->vcpu];
    Chunk *last = g_queue_peek_tail(chunks), *chunk;

    if (last && last->end_ns == batch->time_ns) {
        last->end = batch->first + batch->count;
        return;
    }
    chunk = g_new(Chunk, 1);
    *chunk = (Chunk){ .first = batch->first, .end = batch->first + batch->count, .end_ns = batch->time_ns };
    if (last)
        chunk->begin_ns = MIN(last->end_ns, chunk->end_ns);
    else if (!clock->knows_begin)
        chunk->begin_ns = chunk->end_ns; /* until its end is known: see settle() */
    g_queue_push_tail(chunks, chunk);
}

/* If it isn't known when a chunk began, its records are 1 ns apart: no other distance is better. */
static void settle(Chunk *chunk)
{
    if (chunk->begin_ns == chunk->end_ns)
        chunk->begin_ns -= MIN(chunk->begin_ns, chunk->end - chunk->first);
}

/* Reads until the first chunk of the vCPU is the one that has `index`, and is whole. */
static const Chunk *find_chunk(ConvertClock *clock, unsigned vcpu, uint64_t index)
{
    GQueue *chunks = &clock->chunks[vcpu];
    const struct mt_batch *batch;

    for (;;) {
        Chunk *chunk = g_queue_peek_head(chunks);

        if (chunks->length > 1) {
            settle(chunk);
            if (index < chunk->end)
                return chunk;
            g_free(g_queue_pop_head(chunks));
        } else if (!clock->reader) {
            if (chunk)
                settle(chunk);
            return chunk;
        } else if ((batch = mt_reader_next(clock->reader, NULL))) {
            add_batch(clock, batch);
        } else { /* if it is damaged here, the other reader will say so */
            g_clear_pointer(&clock->reader, mt_reader_free);
        }
    }
}

uint64_t convert_clock_ps(ConvertClock *clock, unsigned vcpu, uint64_t index)
{
    const Chunk *chunk = find_chunk(clock, vcpu, index);
    uint64_t span_ps, count, done;

    if (!chunk)
        return 0;
    span_ps = (chunk->end_ns - chunk->begin_ns) * PS_PER_NS;
    count = chunk->end - chunk->first;
    done = CLAMP(index, chunk->first, chunk->end - 1) - chunk->first + 1;
    /* The last one at the chunk's own time. In two terms, as the product may be too large. */
    return chunk->begin_ns * PS_PER_NS + span_ps / count * done + span_ps % count * done / count;
}
