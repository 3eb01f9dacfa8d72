/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records that several threads need: see shared_input.h. */
#include "shared_input.h"

#include "batch_copy.h"

/* Threads hand over batches in pieces, which costs hardly any time. A piece should fit into a cache. */
#define PIECE_RECORDS 16384
#define PIECES 16
/* Without helpers: a reader for which fewer pieces wait decodes another one first, if nobody else does. */
#define AHEAD 12

/* Batches, in memory that is used again. */
typedef struct {
    GPtrArray *copies;  /* BatchCopy */
    GPtrArray *batches; /* const struct mt_batch: of the first copies */
} Batches;

typedef struct {
    Batches batches;
    bool is_ready; /* until it is, the batches are the decoding thread's */
} Piece;

typedef struct {
    uint64_t piece;       /* the number of the reader's piece */
    guint batch;          /* its next batch in the piece */
    SharedInputThin thin; /* or NULL: then what follows isn't used */
    void *thin_data;
    Batches decoded; /* what this thread decodes, before it is thinned */
    GArray *kept;    /* uint32_t: of a batch that is being thinned */
} Place;

struct SharedInput {
    Input *input; /* used by the thread that decodes */
    GMutex lock;  /* guards all that follows */
    GCond changed;
    Piece pieces[PIECES];
    uint64_t begun; /* how many pieces were decoded so far, or are being decoded */
    bool decodes;   /* whether a thread is decoding */
    bool ended;     /* no more pieces will be begun */
    GError *error;
    unsigned readers, helpers;
    Place *places; /* of the readers and helpers. A thread writes its own place; `piece` only with the lock */
};

static void init_batches(Batches *batches)
{
    batches->copies = g_ptr_array_new_with_free_func((GDestroyNotify)batch_copy_free);
    batches->batches = g_ptr_array_new();
}

static void clear_batches(Batches *batches)
{
    g_ptr_array_unref(batches->copies);
    g_ptr_array_unref(batches->batches);
}

SharedInput *shared_input_new(Input *input, unsigned readers, unsigned helpers)
{
    SharedInput *shared = g_new0(SharedInput, 1);

    shared->input = input;
    shared->readers = readers;
    shared->helpers = helpers;
    shared->places = g_new0(Place, readers + helpers);
    g_mutex_init(&shared->lock);
    g_cond_init(&shared->changed);
    for (guint i = 0; i < PIECES; i++)
        init_batches(&shared->pieces[i].batches);
    for (unsigned i = 0; i < readers + helpers; i++) {
        init_batches(&shared->places[i].decoded);
        shared->places[i].kept = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    }
    return shared;
}

void shared_input_free(SharedInput *shared)
{
    if (!shared)
        return;
    for (guint i = 0; i < PIECES; i++)
        clear_batches(&shared->pieces[i].batches);
    for (unsigned i = 0; i < shared->readers + shared->helpers; i++) {
        clear_batches(&shared->places[i].decoded);
        g_array_unref(shared->places[i].kept);
    }
    g_clear_error(&shared->error);
    g_cond_clear(&shared->changed);
    g_mutex_clear(&shared->lock);
    g_free(shared->places);
    g_free(shared);
}

/* Returns the copy for the next batch. */
static BatchCopy *next_copy(Batches *batches)
{
    if (batches->batches->len == batches->copies->len)
        g_ptr_array_add(batches->copies, batch_copy_new());
    return batches->copies->pdata[batches->batches->len];
}

static void append(Batches *batches, const struct mt_batch *batch)
{
    g_ptr_array_add(batches->batches, (gpointer)batch);
}

/* Fills `decoded`. Returns false at the end, and with an error. */
static bool decode(Input *input, Batches *decoded, GError **error)
{
    const struct mt_batch *batch = NULL;

    g_ptr_array_set_size(decoded->batches, 0);
    for (size_t records = 0; records < PIECE_RECORDS; records += batch->count) {
        batch = input_next_batch(input, error);
        if (!batch)
            break;
        append(decoded, batch_copy_all(next_copy(decoded), batch));
    }
    return batch;
}

/* Copies what readers need of what this one has decoded. */
static void thin(Place *place, Batches *thinned)
{
    g_ptr_array_set_size(thinned->batches, 0);
    for (guint i = 0; i < place->decoded.batches->len; i++) {
        const struct mt_batch *batch = place->decoded.batches->pdata[i];
        size_t count;

        g_array_set_size(place->kept, (guint)batch->count);
        count = place->thin(place->thin_data, batch, (uint32_t *)place->kept->data);
        if (count)
            append(thinned, batch_copy_some(next_copy(thinned), batch, (const uint32_t *)place->kept->data, count));
    }
}

/* The caller holds the lock. Whether there is a piece that no reader needs any more. */
static bool has_room(const SharedInput *shared)
{
    for (unsigned i = 0; i < shared->readers; i++)
        if (shared->begun - shared->places[i].piece >= PIECES)
            return false;
    return true;
}

/* The caller holds the lock, which is released while a piece is decoded. One thread does that at a time; while this one
 * thins its piece, another one may decode the next. */
static void decode_next(SharedInput *shared, Place *place)
{
    Piece *piece = &shared->pieces[shared->begun++ % PIECES];
    GError *error = NULL;
    bool more;

    piece->is_ready = false;
    shared->decodes = true;
    g_mutex_unlock(&shared->lock);
    more = decode(shared->input, place->thin ? &place->decoded : &piece->batches, &error);
    g_mutex_lock(&shared->lock);
    shared->decodes = false;
    if (!more)
        shared->ended = true;
    if (error && !shared->error)
        shared->error = g_steal_pointer(&error);
    g_clear_error(&error);
    if (place->thin) {
        g_cond_broadcast(&shared->changed);
        g_mutex_unlock(&shared->lock);
        thin(place, &piece->batches);
        g_mutex_lock(&shared->lock);
    }
    piece->is_ready = true;
    g_cond_broadcast(&shared->changed);
}

static bool may_decode(const SharedInput *shared)
{
    return !shared->ended && !shared->decodes && has_room(shared);
}

/* The caller holds the lock. Waits for this reader's piece, or decodes one. False at the end. */
static bool wait_for_piece(SharedInput *shared, Place *place)
{
    for (;;) {
        uint64_t waiting = shared->begun - place->piece;
        bool is_ready = waiting && shared->pieces[place->piece % PIECES].is_ready;

        if ((!is_ready || (!shared->helpers && waiting < AHEAD)) && may_decode(shared))
            decode_next(shared, place);
        else if (is_ready)
            return true;
        else if (!waiting && shared->ended)
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
    /* Who waits for room may as well wait for some more, but not so long that this reader itself decodes. */
    if (shared->begun - place->piece <= (shared->helpers ? PIECES / 2 : AHEAD))
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

    while (is_first || place->batch >= piece->batches.batches->len) {
        if (!next_piece(shared, place, is_first, error))
            return NULL;
        is_first = false;
        piece = &shared->pieces[place->piece % PIECES];
    }
    return piece->batches.batches->pdata[place->batch++];
}

void shared_input_help(SharedInput *shared, unsigned helper)
{
    g_mutex_lock(&shared->lock);
    while (!shared->ended)
        if (may_decode(shared))
            decode_next(shared, &shared->places[helper]);
        else
            g_cond_wait(&shared->changed, &shared->lock);
    g_mutex_unlock(&shared->lock);
}

void shared_input_set_thin(SharedInput *shared, unsigned thread, SharedInputThin thin, void *data)
{
    shared->places[thread].thin = thin;
    shared->places[thread].thin_data = data;
}

void shared_input_stop(SharedInput *shared, unsigned thread)
{
    g_mutex_lock(&shared->lock);
    shared->ended = true;
    shared->places[thread].piece = shared->begun; /* a reader needs no piece any more */
    g_cond_broadcast(&shared->changed);
    g_mutex_unlock(&shared->lock);
}
