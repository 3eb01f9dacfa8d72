/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libmemory_tracer: readers of files, streams and rings. See include/memory_tracer/trace.h. */
#include <stdlib.h>
#include <string.h>

#include "../ring/columns.h"
#include "batch_columns.h"
#include "decoder.h"
#include "trace_private.h"

/* Blocks that are read one after the other: those of one vCPU, or a range of all blocks. */
typedef struct {
    size_t next, end; /* into `blocks` */
    GArray *blocks;   /* size_t: numbers of blocks */
    Decoder *decoder;
    GByteArray *payload;
    bool begun;      /* the decoder is in the block before `next` */
    bool is_mixed;   /* a block ends before the one in front of it: they are of several vCPUs */
    uint64_t offset; /* of that block in the file */
} Lane;

struct mt_reader {
    mt_trace *trace;
    struct mt_batch batch; /* the last one that was returned */
    bool has_failed;
    unsigned columns;
    uint64_t skip_until; /* records before this index are not wanted */
    unsigned lanes;
    Lane *lane;
    /* Of a ring: the rows that were returned last, and their columns. */
    unsigned ring_vcpu;
    size_t ring_count;
    uint64_t ring_first;
    const uint8_t *ring_left; /* rows that were taken from the ring, but not returned yet */
    size_t ring_left_count;
    RingColumns *out;
};

static mt_reader *new_reader(mt_trace *trace, unsigned columns, unsigned lanes)
{
    mt_reader *reader = g_new0(mt_reader, 1);

    reader->trace = trace;
    reader->columns = columns;
    reader->lanes = lanes;
    reader->lane = g_new0(Lane, lanes);
    for (unsigned i = 0; i < lanes; i++) {
        reader->lane[i].blocks = g_array_new(FALSE, FALSE, sizeof(size_t));
        reader->lane[i].payload = g_byte_array_new();
        reader->lane[i].decoder = decoder_new(columns, trace->file ? trace->file->header.fields : 0);
    }
    if (trace->ring)
        reader->out = ring_columns_new();
    return reader;
}

static const struct format_index_entry *lane_block(const mt_reader *reader, const Lane *lane, size_t at)
{
    return trace_file_block(reader->trace->file, g_array_index(lane->blocks, size_t, at));
}

static void add_block(const mt_reader *reader, Lane *lane, size_t number)
{
    g_array_append_val(lane->blocks, number);
    lane->is_mixed |=
        lane->end && lane_block(reader, lane, lane->end)->end < lane_block(reader, lane, lane->end - 1)->end;
    lane->end++;
}

mt_reader *mt_reader_new(mt_trace *trace, unsigned columns, struct mt_error *error)
{
    mt_reader *reader;
    int lane_of_vcpu[FORMAT_MAX_VCPUS];
    unsigned lanes = 0;

    (void)error;
    memset(lane_of_vcpu, -1, sizeof lane_of_vcpu);
    for (size_t i = 0; i < mt_trace_blocks(trace); i++) {
        int *lane = &lane_of_vcpu[trace_file_block(trace->file, i)->vcpu];

        if (*lane < 0)
            *lane = (int)lanes++;
    }
    reader = new_reader(trace, columns, lanes);
    for (size_t i = 0; i < mt_trace_blocks(trace); i++)
        add_block(reader, &reader->lane[lane_of_vcpu[trace_file_block(trace->file, i)->vcpu]], i);
    return reader;
}

mt_reader *mt_reader_new_blocks(mt_trace *trace, unsigned columns, size_t begin, size_t end, struct mt_error *error)
{
    mt_reader *reader;

    if (begin > end || end > mt_trace_blocks(trace))
        return give_message(error, "there are not so many blocks");
    reader = new_reader(trace, columns, 1);
    for (size_t i = begin; i < end; i++)
        add_block(reader, &reader->lane[0], i);
    return reader;
}

void mt_reader_free(mt_reader *reader)
{
    if (!reader)
        return;
    for (unsigned i = 0; i < reader->lanes; i++) {
        g_array_unref(reader->lane[i].blocks);
        g_byte_array_unref(reader->lane[i].payload);
        decoder_free(reader->lane[i].decoder);
    }
    g_free(reader->lane);
    ring_columns_free(reader->out);
    g_free(reader);
}

bool mt_reader_seek(mt_reader *reader, uint64_t index, struct mt_error *error)
{
    if (!reader->trace->file) {
        give_message(error, "only trace files can be read from any place");
        return false;
    }
    reader->skip_until = index;
    for (unsigned i = 0; i < reader->lanes; i++) {
        Lane *lane = &reader->lane[i];

        lane->begun = false;
        if (lane->is_mixed || (lane->next && lane_block(reader, lane, lane->next - 1)->end > index))
            lane->next = 0;
        while (lane->next < lane->end && lane_block(reader, lane, lane->next)->end <= index)
            lane->next++;
    }
    return true;
}

/* The index of a lane's next record; UINT64_MAX at its end. */
static uint64_t lane_position(const mt_reader *reader, const Lane *lane)
{
    uint64_t position = lane->begun ? decoder_position(lane->decoder) : UINT64_MAX;

    if (position == UINT64_MAX && lane->next < lane->end)
        position = lane_block(reader, lane, lane->next)->first;
    return position;
}

static Lane *choose_lane(const mt_reader *reader)
{
    Lane *chosen = reader->lanes ? &reader->lane[0] : NULL;
    uint64_t oldest;

    if (reader->lanes < 2)
        return chosen;
    oldest = lane_position(reader, chosen);
    for (unsigned i = 1; i < reader->lanes; i++) {
        uint64_t position = lane_position(reader, &reader->lane[i]);

        if (position < oldest) {
            oldest = position;
            chosen = &reader->lane[i];
        }
    }
    return chosen;
}

static bool fail_in_block(const mt_reader *reader, const Lane *lane, const char *problem, GError **error)
{
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "%s: offset %" G_GUINT64_FORMAT ": %s",
                reader->trace->file->name, lane->offset, problem);
    return false;
}

static bool begin_block(mt_reader *reader, Lane *lane, GError **error)
{
    const struct format_index_entry *entry = lane_block(reader, lane, lane->next++);
    struct format_block header;
    const char *problem;

    lane->offset = entry->offset;
    lane->begun = false;
    if (!trace_file_read(reader->trace->file, entry, lane->payload, error))
        return false;
    if (!decoder_begin(lane->decoder, lane->payload->data, lane->payload->len, reader->trace->file->header.vcpus,
                       &problem))
        return fail_in_block(reader, lane, problem, error);
    memcpy(&header, lane->payload->data, sizeof header);
    if (header.vcpu != entry->vcpu || header.first != entry->first || header.end != entry->end ||
        header.records != entry->records || header.input != entry->input)
        return fail_in_block(reader, lane, "the index says something else of this block", error);
    lane->begun = true;
    return true;
}

/* Drops the events that stand before access `count`; those right before it stay. */
static void trim_events(struct mt_events *events, size_t count)
{
    struct mt_event *event = (struct mt_event *)events->event; /* the reader owns the events */
    size_t gone = 0;

    if (!events->count)
        return;
    while (gone < events->count && event[gone].before < count)
        events->state = event[gone++].number;
    events->event += gone;
    events->count -= gone;
    for (size_t i = gone; i < gone + events->count; i++)
        event[i].before -= (uint32_t)count;
}

/* Drops the first `count` records of a batch. */
static void trim(struct mt_batch *batch, size_t count)
{
    trim_events(&batch->task, count);
    trim_events(&batch->executed, count);
    batch->first += count;
    batch->count -= count;
#define ADVANCE(type, column) batch->column = batch->column ? batch->column + count : NULL;
    BATCH_COLUMNS(ADVANCE)
#undef ADVANCE
}

static int next_of_file(mt_reader *reader, struct mt_batch *batch, GError **error)
{
    for (;;) {
        Lane *lane = choose_lane(reader);
        const char *problem;
        int more;

        if (!lane)
            return 0;
        if (!lane->begun || decoder_position(lane->decoder) == UINT64_MAX) {
            if (lane->next == lane->end)
                return 0;
            if (!begin_block(reader, lane, error))
                return -1;
        }
        more = decoder_next(lane->decoder, batch, &problem);
        if (more < 0) {
            lane->begun = false;
            fail_in_block(reader, lane, problem, error);
            return -1;
        }
        if (batch->first + batch->count <= reader->skip_until)
            continue;
        if (batch->first < reader->skip_until)
            trim(batch, reader->skip_until - batch->first);
        return 1;
    }
}

static int next_of_ring(mt_reader *reader, struct mt_batch *batch, struct mt_error *error)
{
    Ring *ring = reader->trace->ring;
    unsigned columns = reader->columns, fields = ring_fields(ring);
    size_t rows;

    if (!reader->ring_left_count) {
        const struct gmbeoo_record *records;
        int more;

        if (reader->ring_count)
            ring_release(ring, reader->ring_vcpu, reader->ring_count);
        reader->ring_count = 0;
        more = ring_take(ring, &reader->ring_vcpu, &records, &reader->ring_count);
        if (more <= 0) {
            reader->ring_count = 0;
            if (more < 0)
                give_message(error, "the ring was closed before tracing stopped");
            return more;
        }
        reader->ring_left = (const uint8_t *)records;
        reader->ring_left_count = reader->ring_count;
    }
    rows = MIN(reader->ring_left_count, RING_COLUMNS_RECORDS);
    batch->vcpu = reader->ring_vcpu;
    ring_columns_split(reader->out, fields, columns, (const struct gmbeoo_record *)reader->ring_left, rows, batch);
    batch->first = reader->ring_first;
    if ((columns & MT_COLUMN_TIME) && (fields & MT_FIELD_TIME))
        batch->time_ns = ring_time(ring, (const struct gmbeoo_record *)reader->ring_left);
    reader->ring_left += rows * ring_record_bytes(ring);
    reader->ring_left_count -= rows;
    reader->ring_first += batch->count;
    return 1;
}

const struct mt_batch *mt_reader_next(mt_reader *reader, struct mt_error *error)
{
    struct mt_batch *batch = &reader->batch;
    GError *problem = NULL;
    int more;

    give_message(error, "");
    *batch = (struct mt_batch){ 0 };
    if (reader->trace->ring)
        more = next_of_ring(reader, batch, error);
    else if (reader->trace->file)
        more = next_of_file(reader, batch, &problem);
    else
        more = stream_next(reader->trace->stream, reader->columns, batch, &problem);
    if (problem)
        give_error(error, problem);
    reader->has_failed = more < 0;
    return more > 0 ? batch : NULL;
}

bool mt_reader_has_failed(const mt_reader *reader)
{
    return reader->has_failed;
}
