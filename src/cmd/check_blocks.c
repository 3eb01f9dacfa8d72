/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checks a trace file's blocks by several threads: see check.h. Each thread takes the next block of the file, checks
 * its records, and notes where its batches stand in the trace. The caller's thread goes through these notes in the
 * order in which a reader would have given the batches, which is that of the indexes.
 */
#include "check.h"

#define WAKE_US (G_USEC_PER_SEC / 4) /* for the progress */

typedef struct {
    const CheckFacts *facts;
    size_t blocks;
    GMutex mutex;
    GCond changed;
    /* Below: with the mutex. */
    size_t next;        /* block that nobody has taken */
    GArray **places;    /* by block: CheckPlace; NULL: not done yet, or no longer wanted */
    CheckCounts counts; /* of the blocks that are done */
    uint64_t done;      /* records */
    bool failed;        /* or given up */
} Pool;

/* The blocks of a vCPU, as its reader goes through them. */
typedef struct {
    GArray *blocks; /* size_t */
    guint block;    /* into `blocks`: the current one; */
    guint place;    /* and the next of its batches */
} Lane;

/* Returns where its batches stand; NULL if it can't be read. */
static GArray *check_block(Pool *pool, size_t number, CheckCounts *counts)
{
    mt_reader *reader = mt_reader_new_blocks(pool->facts->trace, MT_COLUMN_ALL, number, number + 1, NULL);
    GArray *places = g_array_new(FALSE, FALSE, sizeof(CheckPlace));
    const struct mt_batch *batch;
    bool failed;

    while ((batch = mt_reader_next(reader, NULL))) {
        CheckPlace place = check_place(batch);

        check_records(pool->facts, batch, counts);
        g_array_append_val(places, place);
    }
    failed = mt_reader_has_failed(reader);
    mt_reader_free(reader);
    if (!failed)
        return places;
    g_array_unref(places);
    return NULL;
}

static gpointer check_some(gpointer data)
{
    Pool *pool = data;

    g_mutex_lock(&pool->mutex);
    while (!pool->failed && pool->next < pool->blocks) {
        size_t number = pool->next++;
        CheckCounts counts = { 0 };
        GArray *places;

        g_mutex_unlock(&pool->mutex);
        places = check_block(pool, number, &counts);
        g_mutex_lock(&pool->mutex);
        pool->places[number] = places;
        pool->failed |= !places;
        pool->done += mt_trace_block(pool->facts->trace, number)->records;
        check_counts_add(&pool->counts, &counts);
        g_cond_signal(&pool->changed);
    }
    g_mutex_unlock(&pool->mutex);
    return NULL;
}

/* Waits until a block is done. Returns false if checking has failed. */
static bool wait_for(Pool *pool, size_t number, Progress *progress)
{
    bool fine;

    g_mutex_lock(&pool->mutex);
    while (!pool->failed && !pool->places[number]) {
        uint64_t more = pool->done - progress->done;

        g_mutex_unlock(&pool->mutex);
        progress_add(progress, more);
        g_mutex_lock(&pool->mutex);
        if (!pool->failed && !pool->places[number])
            g_cond_wait_until(&pool->changed, &pool->mutex, g_get_monotonic_time() + WAKE_US);
    }
    fine = !pool->failed;
    g_mutex_unlock(&pool->mutex);
    return fine;
}

/* The index of the lane's next record; UINT64_MAX at its end. */
static uint64_t lane_position(const Pool *pool, const Lane *lane)
{
    size_t number;

    if (lane->block == lane->blocks->len)
        return UINT64_MAX;
    number = g_array_index(lane->blocks, size_t, lane->block);
    return lane->place ? g_array_index(pool->places[number], CheckPlace, lane->place).first
                       : mt_trace_block(pool->facts->trace, number)->first;
}

/* Goes on to the lane's next batch. Returns false if checking has failed. */
static bool lane_step(Pool *pool, Lane *lane, CheckOrder *order, CheckCounts *counts, Progress *progress)
{
    size_t number = g_array_index(lane->blocks, size_t, lane->block);
    GArray *places;

    if (!lane->place && !wait_for(pool, number, progress))
        return false;
    places = pool->places[number];
    check_order(order, &g_array_index(places, CheckPlace, lane->place), counts);
    if (++lane->place < places->len)
        return true;
    lane->place = 0;
    lane->block++;
    g_array_unref(places);
    g_mutex_lock(&pool->mutex);
    pool->places[number] = NULL;
    g_mutex_unlock(&pool->mutex);
    return true;
}

static void lane_clear(gpointer lane)
{
    g_array_unref(((Lane *)lane)->blocks);
}

/* One for each vCPU, in the order in which they first have a block. */
static GArray *make_lanes(const Pool *pool)
{
    GArray *lanes = g_array_new(FALSE, FALSE, sizeof(Lane));
    int lane_of_vcpu[CHECK_MAX_VCPUS];

    g_array_set_clear_func(lanes, lane_clear);
    for (unsigned i = 0; i < CHECK_MAX_VCPUS; i++)
        lane_of_vcpu[i] = -1;
    for (size_t i = 0; i < pool->blocks; i++) {
        int *number = &lane_of_vcpu[mt_trace_block(pool->facts->trace, i)->vcpu % CHECK_MAX_VCPUS];

        if (*number < 0) {
            Lane lane = { .blocks = g_array_new(FALSE, FALSE, sizeof(size_t)) };

            *number = (int)lanes->len;
            g_array_append_val(lanes, lane);
        }
        g_array_append_val(g_array_index(lanes, Lane, *number).blocks, i);
    }
    return lanes;
}

/* As a reader does it: the next batch is that of the vCPU whose next record has the lowest index. */
static bool go_through(Pool *pool, CheckOrder *order, CheckCounts *counts, Progress *progress)
{
    g_autoptr(GArray) lanes = make_lanes(pool);

    for (;;) {
        uint64_t lowest = UINT64_MAX;
        Lane *chosen = NULL;

        for (guint i = 0; i < lanes->len; i++) {
            Lane *lane = &g_array_index(lanes, Lane, i);
            uint64_t position = lane_position(pool, lane);

            if (position < lowest) {
                lowest = position;
                chosen = lane;
            }
        }
        if (!chosen)
            return true;
        if (!lane_step(pool, chosen, order, counts, progress))
            return false;
    }
}

bool check_blocks(const CheckFacts *facts, unsigned threads, CheckCounts *counts, CheckOrder *order, Progress *progress)
{
    Pool pool = { .facts = facts, .blocks = mt_trace_blocks(facts->trace) };
    g_autofree GThread **workers = g_new(GThread *, threads);
    CheckCounts placed = { 0 };
    bool fine;

    g_mutex_init(&pool.mutex);
    g_cond_init(&pool.changed);
    pool.places = g_new0(GArray *, pool.blocks);
    for (unsigned i = 0; i < threads; i++)
        workers[i] = g_thread_new("check", check_some, &pool);
    fine = go_through(&pool, order, &placed, progress);
    for (unsigned i = 0; i < threads; i++)
        g_thread_join(workers[i]);
    for (size_t i = 0; i < pool.blocks; i++)
        if (pool.places[i])
            g_array_unref(pool.places[i]);
    if (fine) {
        check_counts_add(counts, &pool.counts);
        check_counts_add(counts, &placed);
    } else {
        *order = (CheckOrder){ 0 };
    }
    g_free(pool.places);
    g_mutex_clear(&pool.mutex);
    g_cond_clear(&pool.changed);
    return fine;
}
