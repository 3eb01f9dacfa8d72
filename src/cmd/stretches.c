/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stretches of a trace that are put together in their order: see stretches.h. */
#include "stretches.h"

/*
 * A stretch begins where a block does, as a block can only be read from its begin. There are other vCPUs' blocks at the
 * same place, of which a thread then decodes half on average that comes before the stretch. So with several vCPUs a
 * stretch has as many blocks for each of them, and with many vCPUs it would have to be too long. An analysis that says
 * how long stretches are (AnalysisDivision's step) has them begin within blocks, too, and at least two blocks long for
 * each vCPU.
 */
#define VCPUS_MOST 4
#define LEAST_RECORDS (UINT64_C(1) << 12)         /* of a stretch, at whose begin nothing is certain */
#define USUAL_RECORDS (UINT64_C(1) << 19)         /* so many that this doesn't matter */
#define USUAL_RECORDS_OF_VCPU (UINT64_C(1) << 21) /* the same, if there are several vCPUs */
#define STRETCHES_OF_THREAD 4                     /* at least, unless they would have less than LEAST_RECORDS */
/* What is begun and not put together, at most: so many stretches for each thread, and of all threads so many as would
 * have so many records (they have up to twice as many). Of those with a step, which aren't large, one more than threads
 * at least. */
#define WAITING_OF_THREAD 2
#define WAITING_RECORDS (UINT64_C(1) << 25)

struct Stretches {
    GMutex lock; /* guards all */
    GCond changed;
    GArray *begins; /* uint64_t: where a stretch may begin, in order, unless there is a step */
    guint next_begin;
    uint64_t step;  /* a stretch ends at a multiple of this; 0: where a block begins */
    Range left;     /* what no stretch has yet */
    uint64_t least; /* records of a stretch, but for the first one and the last */
    uint64_t begun, merged;
    unsigned most;  /* that are begun, and not put together */
    Pump **waiting; /* by a stretch's number modulo `most`: what it has come to; or NULL */
    bool is_merging;
    Pump *all; /* what the first `merged` stretches have come to */
    bool ended;
    GError *error;
    uint64_t failed; /* the stretch that the error is of */
};

static uint64_t records_of_block(const mt_trace *trace)
{
    return mt_trace_records(trace) / MAX(mt_trace_blocks(trace), 1);
}

/* How long all stretches are; 0: as long as one likes. */
static uint64_t step_of(const mt_trace *trace, uint64_t step)
{
    return step * mt_trace_vcpus(trace);
}

const char *stretches_why_not(const mt_trace *trace, uint64_t step, Range events)
{
    if (!step)
        return mt_trace_vcpus(trace) > VCPUS_MOST ? "there are too many vCPUs to simulate stretches apart" : NULL;
    if (records_of_block(trace) > step / 2)
        return "the trace's blocks are too long to count stretches apart";
    return (events.end - events.begin) / 2 < step_of(trace, step) ? "there are too few records to count stretches apart"
                                                                  : NULL;
}

/* How many records a stretch should have at least. */
static uint64_t least_records(const mt_trace *trace, Range events, unsigned threads)
{
    uint64_t vcpus = mt_trace_vcpus(trace), block = records_of_block(trace);
    uint64_t records = (events.end - events.begin) / (STRETCHES_OF_THREAD * threads);

    if (vcpus <= 1)
        return CLAMP(records, LEAST_RECORDS, USUAL_RECORDS);
    return CLAMP(records, MAX(LEAST_RECORDS, vcpus * block), MAX(USUAL_RECORDS_OF_VCPU * vcpus, vcpus * block));
}

static gint compare_records(gconstpointer a, gconstpointer b)
{
    uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;

    return one < other ? -1 : one > other;
}

Stretches *stretches_new(const mt_trace *trace, uint64_t step, Range events, unsigned threads)
{
    Stretches *stretches = g_new0(Stretches, 1);

    stretches->begins = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    for (size_t i = 0; !step && i < mt_trace_blocks(trace); i++)
        g_array_append_val(stretches->begins, mt_trace_block(trace, i)->first);
    g_array_sort(stretches->begins, compare_records);
    stretches->left = events;
    stretches->step = step_of(trace, step);
    stretches->least = step ? stretches->step : least_records(trace, events, threads);
    stretches->most =
        (unsigned)CLAMP(WAITING_RECORDS / stretches->least, step ? threads + 1 : 2, WAITING_OF_THREAD * threads);
    stretches->waiting = g_new0(Pump *, stretches->most);
    g_mutex_init(&stretches->lock);
    g_cond_init(&stretches->changed);
    return stretches;
}

void stretches_free(Stretches *stretches)
{
    if (!stretches)
        return;
    g_array_unref(stretches->begins);
    for (unsigned i = 0; i < stretches->most; i++)
        pump_free(stretches->waiting[i]);
    g_free(stretches->waiting);
    pump_free(stretches->all);
    g_clear_error(&stretches->error);
    g_cond_clear(&stretches->changed);
    g_mutex_clear(&stretches->lock);
    g_free(stretches);
}

/* Where the stretch that comes next ends. The lock is held. */
static uint64_t next_end(Stretches *stretches)
{
    const Range *left = &stretches->left;

    if (stretches->step)
        return MIN(left->begin - left->begin % stretches->step + stretches->step, left->end);
    for (; stretches->next_begin < stretches->begins->len; stretches->next_begin++) {
        uint64_t begin = g_array_index(stretches->begins, uint64_t, stretches->next_begin);

        if (begin > left->begin && begin - left->begin >= stretches->least)
            return MIN(begin, left->end);
    }
    return left->end;
}

bool stretches_begin(Stretches *stretches, TraceStretch *stretch)
{
    bool more;

    g_mutex_lock(&stretches->lock);
    while (!stretches->ended && stretches->begun - stretches->merged >= stretches->most)
        g_cond_wait(&stretches->changed, &stretches->lock);
    more = !stretches->ended && (stretches->left.begin < stretches->left.end || !stretches->begun);
    if (more) {
        stretch->number = stretches->begun++;
        stretch->events = (Range){ stretches->left.begin, next_end(stretches) };
        stretches->left.begin = stretch->events.end;
    }
    g_mutex_unlock(&stretches->lock);
    return more;
}

/* The lock is held. */
static void fail(Stretches *stretches, uint64_t number, GError *error)
{
    if (stretches->error && stretches->failed < number) {
        g_error_free(error);
    } else {
        g_clear_error(&stretches->error);
        stretches->error = error;
        stretches->failed = number;
    }
    stretches->ended = true;
    g_cond_broadcast(&stretches->changed);
}

/* Puts together what is there. The lock is held, but released meanwhile. */
static void merge(Stretches *stretches)
{
    Pump **first;

    stretches->is_merging = true;
    while (*(first = &stretches->waiting[stretches->merged % stretches->most])) {
        Pump *next = g_steal_pointer(first);
        GError *error = NULL;

        g_mutex_unlock(&stretches->lock);
        if (!stretches->all) {
            stretches->all = g_steal_pointer(&next);
        } else {
            pump_merge(stretches->all, next, &error);
            pump_free(next);
        }
        g_mutex_lock(&stretches->lock);
        if (error) {
            fail(stretches, stretches->merged, error);
            break;
        }
        stretches->merged++;
        g_cond_broadcast(&stretches->changed);
    }
    stretches->is_merging = false;
}

void stretches_end(Stretches *stretches, const TraceStretch *stretch, Pump *pump, GError *error)
{
    g_mutex_lock(&stretches->lock);
    if (pump)
        stretches->waiting[stretch->number % stretches->most] = pump;
    else
        fail(stretches, stretch->number, error);
    if (!stretches->is_merging)
        merge(stretches);
    g_mutex_unlock(&stretches->lock);
}

void stretches_stop(Stretches *stretches)
{
    g_mutex_lock(&stretches->lock);
    stretches->ended = true;
    g_cond_broadcast(&stretches->changed);
    g_mutex_unlock(&stretches->lock);
}

Pump *stretches_result(Stretches *stretches, GError **error)
{
    if (!stretches->error)
        return g_steal_pointer(&stretches->all);
    g_propagate_error(error, g_steal_pointer(&stretches->error));
    return NULL;
}
