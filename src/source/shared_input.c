/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records that several threads need: see shared_input.h. */
#include "shared_input.h"

#include <string.h>

#include "../trace/batch_columns.h"

/* Threads hand over batches in pieces, which costs hardly any time. A piece should fit into a cache. */
#define PIECE_RECORDS 8192
#define PIECES 8
#define AHEAD 2 /* a thread for which fewer pieces wait decodes another one first, unless somebody else does */

typedef struct {
    GArray *batches; /* struct mt_batch, whose pointers are offsets until all of the piece is there */
    GByteArray *columns;
    GArray *kept; /* uint32_t: of each batch, the records that readers look at; one batch behind the other */
    GArray *ends; /* guint: where those of each batch end in it */
} Piece;

typedef struct {
    uint64_t piece;       /* the number of the reader's piece */
    guint batch;          /* its next batch in the piece */
    SharedInputThin thin; /* or NULL */
    const void *thin_data;
} Place;

struct SharedInput {
    Input *input; /* used by the thread that decodes */
    GMutex lock;  /* guards all that follows, but not the contents of pieces */
    GCond changed;
    Piece pieces[PIECES];
    uint64_t decoded; /* how many pieces were decoded so far */
    bool decodes;     /* whether a thread is decoding */
    bool ended;
    GError *error;
    unsigned readers;
    Place *places; /* of the readers. A reader's thread writes its own place; `piece` only with the lock */
};

SharedInput *shared_input_new(Input *input, unsigned readers)
{
    SharedInput *shared = g_new0(SharedInput, 1);

    shared->input = input;
    shared->readers = readers;
    shared->places = g_new0(Place, readers);
    g_mutex_init(&shared->lock);
    g_cond_init(&shared->changed);
    for (guint i = 0; i < PIECES; i++) {
        shared->pieces[i].batches = g_array_new(FALSE, FALSE, sizeof(struct mt_batch));
        shared->pieces[i].columns = g_byte_array_new();
        shared->pieces[i].kept = g_array_new(FALSE, FALSE, sizeof(uint32_t));
        shared->pieces[i].ends = g_array_new(FALSE, FALSE, sizeof(guint));
    }
    return shared;
}

void shared_input_free(SharedInput *shared)
{
    if (!shared)
        return;
    for (guint i = 0; i < PIECES; i++) {
        g_array_unref(shared->pieces[i].batches);
        g_byte_array_unref(shared->pieces[i].columns);
        g_array_unref(shared->pieces[i].kept);
        g_array_unref(shared->pieces[i].ends);
    }
    g_clear_error(&shared->error);
    g_cond_clear(&shared->changed);
    g_mutex_clear(&shared->lock);
    g_free(shared->places);
    g_free(shared);
}

/* Appends a column, aligned for any type. Returns its offset, plus 1, as a pointer; NULL for NULL. */
static void *append(GByteArray *columns, const void *column, size_t bytes)
{
    guint at = (columns->len + 15) / 16 * 16;

    if (!column)
        return NULL;
    g_byte_array_set_size(columns, at + (guint)bytes);
    if (bytes)
        memcpy(columns->data + at, column, bytes);
    return GSIZE_TO_POINTER((gsize)at + 1);
}

/* Does WHAT(array, elements) with each array of a batch. */
#define EACH_ARRAY(batch, WHAT)                                                                                        \
    BATCH_COLUMNS(WHAT##_COLUMN)                                                                                       \
    WHAT(task.event, (batch)->task.count)                                                                              \
    WHAT(executed.event, (batch)->executed.count)

static void copy_batch(Piece *piece, const struct mt_batch *batch)
{
    struct mt_batch copy = *batch;

#define COPY(array, elements) copy.array = append(piece->columns, batch->array, (elements) * sizeof *batch->array);
#define COPY_COLUMN(type, column) COPY(column, batch->count)
    EACH_ARRAY(batch, COPY)
#undef COPY_COLUMN
#undef COPY
    g_array_append_val(piece->batches, copy);
}

/* Turns the offsets into pointers, when the columns no longer move. */
static void set_pointers(Piece *piece)
{
    for (guint i = 0; i < piece->batches->len; i++) {
        struct mt_batch *batch = &g_array_index(piece->batches, struct mt_batch, i);

#define SET(array, elements)                                                                                           \
    if (batch->array)                                                                                                  \
        batch->array = (const void *)(piece->columns->data + GPOINTER_TO_SIZE(batch->array) - 1);
#define SET_COLUMN(type, column) SET(column, )
        EACH_ARRAY(batch, SET)
#undef SET_COLUMN
#undef SET
    }
}

static void keep_some(Piece *piece, const struct mt_batch *batch, const Place *place)
{
    guint begin = piece->kept->len, end;

    g_array_set_size(piece->kept, begin + (guint)batch->count);
    end = begin + (guint)place->thin(place->thin_data, batch, &g_array_index(piece->kept, uint32_t, begin));
    g_array_set_size(piece->kept, end);
    g_array_append_val(piece->ends, end);
}

/* `place` is that of the reader that does it. Returns false at the end, and with an error. */
static bool decode(Input *input, Piece *piece, const Place *place, GError **error)
{
    g_autoptr(GError) problem = NULL;
    const struct mt_batch *batch = NULL;

    g_array_set_size(piece->batches, 0);
    g_byte_array_set_size(piece->columns, 0);
    g_array_set_size(piece->kept, 0);
    g_array_set_size(piece->ends, 0);
    for (size_t records = 0; records < PIECE_RECORDS; records += batch->count) {
        batch = input_next_batch(input, &problem);
        if (!batch)
            break;
        copy_batch(piece, batch);
        if (place->thin)
            keep_some(piece, batch, place);
    }
    set_pointers(piece);
    if (problem)
        g_propagate_error(error, g_steal_pointer(&problem));
    return batch;
}

/* The caller holds the lock. Whether there is a piece that no reader needs any more. */
static bool has_room(const SharedInput *shared)
{
    for (unsigned i = 0; i < shared->readers; i++)
        if (shared->decoded - shared->places[i].piece >= PIECES)
            return false;
    return true;
}

/* The caller holds the lock, which is released while a piece is decoded. */
static void decode_next(SharedInput *shared, const Place *place)
{
    GError *error = NULL;
    bool more;

    shared->decodes = true;
    g_mutex_unlock(&shared->lock);
    more = decode(shared->input, &shared->pieces[shared->decoded % PIECES], place, &error);
    g_mutex_lock(&shared->lock);
    shared->decodes = false;
    if (!shared->ended)
        shared->decoded++;
    if (!more)
        shared->ended = true;
    if (error && !shared->error)
        shared->error = g_steal_pointer(&error);
    g_clear_error(&error);
    g_cond_broadcast(&shared->changed);
}

/* The caller holds the lock. Waits for this reader's piece, or decodes one. False at the end. */
static bool wait_for_piece(SharedInput *shared, const Place *place)
{
    for (;;) {
        uint64_t ready = shared->decoded - place->piece;

        if (ready < AHEAD && !shared->ended && !shared->decodes && has_room(shared))
            decode_next(shared, place);
        else if (ready)
            return true;
        else if (shared->ended)
            return false;
        else
            g_cond_wait(&shared->changed, &shared->lock);
    }
}

/* Goes on to the reader's next piece. False at the end. */
static bool next_piece(SharedInput *shared, Place *place, bool is_first, GError **error)
{
    bool more;

    g_mutex_lock(&shared->lock);
    place->piece += !is_first;
    place->batch = 0;
    g_cond_broadcast(&shared->changed);
    more = wait_for_piece(shared, place);
    if (!more && shared->error)
        g_propagate_error(error, g_error_copy(shared->error));
    g_mutex_unlock(&shared->lock);
    return more;
}

const struct mt_batch *shared_input_next(SharedInput *shared, unsigned reader, GError **error)
{
    Place *place = &shared->places[reader];
    bool is_first = !place->batch; /* 0 only before the first call, or if the piece is empty */
    const Piece *piece = &shared->pieces[place->piece % PIECES];

    while (is_first || place->batch >= piece->batches->len) {
        if (!next_piece(shared, place, is_first, error))
            return NULL;
        is_first = false;
        piece = &shared->pieces[place->piece % PIECES];
    }
    return &g_array_index(piece->batches, struct mt_batch, place->batch++);
}

void shared_input_set_thin(SharedInput *shared, unsigned reader, SharedInputThin thin, const void *data)
{
    shared->places[reader].thin = thin;
    shared->places[reader].thin_data = data;
}

const uint32_t *shared_input_kept(const SharedInput *shared, unsigned reader, size_t *count)
{
    const Place *place = &shared->places[reader];
    const Piece *piece = &shared->pieces[place->piece % PIECES];
    guint batch = place->batch - 1, begin = batch ? g_array_index(piece->ends, guint, batch - 1) : 0;

    *count = g_array_index(piece->ends, guint, batch) - begin;
    return (const uint32_t *)piece->kept->data + begin;
}

void shared_input_stop(SharedInput *shared, unsigned reader)
{
    g_mutex_lock(&shared->lock);
    shared->ended = true;
    shared->places[reader].piece = shared->decoded; /* this reader needs no piece any more */
    g_cond_broadcast(&shared->changed);
    g_mutex_unlock(&shared->lock);
}
