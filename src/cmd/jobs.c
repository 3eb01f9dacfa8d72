/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Analyses of a trace file by several threads: see jobs.h. */
#include "jobs.h"

#include <stdio.h>

#include "../source/shared_input.h"
#include "stretches.h"

/* How much a job must have left to lose half of it: an eighth of the whole, within these limits. Another part costs
 * some 10 ms, in which 2 M records are read. A job claims a sixteenth of that at a time. */
#define LEAST_LEFT_MIN (UINT64_C(1) << 16)
#define LEAST_LEFT_MAX (UINT64_C(1) << 23)
#define MOST_TAKEN_OVER 2 /* jobs for each thread, as each takes memory until it is merged */

/* What one thread does at a time. */
typedef struct {
    Jobs *jobs;
    GPtrArray *requests;
    Range events;      /* ANALYSIS_BY_TIME: its end may come nearer, down to `claimed` */
    uint64_t claimed;  /* ANALYSIS_BY_TIME: what comes before this is the job's for good */
    AnalysisPart part; /* its number is also that in `shared` */
    bool shows_progress;
    bool helps; /* has no part, but decodes for the jobs before it */
    /* Made by the thread: */
    Input *input;
    Context *context;
    Pump *pump;
    GError *error;
} Job;

struct Jobs {
    const Input *whole; /* nobody reads it, but its trace is that of all jobs */
    const char *path;
    const Selection *selection;
    unsigned threads;
    bool thins;          /* records that change nothing may be left out */
    AnalysisSplit split; /* of the only analysis, which may have one part; ANALYSIS_WHOLE: a job is one of several */
    GMutex lock;         /* while threads are there: of the list, the progress, and what jobs have of the trace */
    GPtrArray *list;     /* Job */
    guint next;          /* that nobody has taken */
    Progress progress;
    GMutex start;     /* held until all threads are there */
    Context *context; /* unless `split` is ANALYSIS_WHOLE: of all jobs, as its numbers of objects are its own */
    /* ANALYSIS_BY_KEY: what all jobs read together, if each has a thread; else NULL. */
    Input *input;
    SharedInput *shared;
    /* ANALYSIS_IN_TURN: a job does one stretch after the other. */
    Stretches *stretches;
    /* ANALYSIS_BY_TIME: */
    Range events;
    uint64_t step;  /* where parts may begin (AnalysisDivision) */
    uint64_t least; /* a job that has as much left may lose half of it, */
    guint most;     /* unless there are this many jobs */
};

static void job_free(gpointer data)
{
    Job *job = data;

    g_clear_pointer(&job->pump, pump_free);
    g_clear_pointer(&job->context, context_free);
    g_clear_pointer(&job->input, input_free);
    g_clear_error(&job->error);
    g_ptr_array_unref(job->requests);
    g_free(job);
}

void jobs_free(Jobs *jobs)
{
    if (!jobs)
        return;
    progress_end(&jobs->progress);
    g_ptr_array_unref(jobs->list);
    shared_input_free(jobs->shared);
    stretches_free(jobs->stretches);
    g_clear_pointer(&jobs->context, context_free);
    input_free(jobs->input);
    g_mutex_clear(&jobs->lock);
    g_mutex_clear(&jobs->start);
    g_free(jobs);
}

static Job *add_job(Jobs *jobs, AnalysisRequest *request, Range events)
{
    Job *job = g_new0(Job, 1);

    job->jobs = jobs;
    job->requests = g_ptr_array_new();
    job->events = events;
    job->claimed = events.begin;
    job->shows_progress = true;
    g_ptr_array_add(job->requests, request);
    g_ptr_array_add(jobs->list, job);
    return job;
}

static Job *add_part(Jobs *jobs, AnalysisRequest *request, Range events)
{
    unsigned number = jobs->list->len;
    Job *job = add_job(jobs, request, events);

    job->part = (AnalysisPart){ .number = number, .before = events.begin - jobs->events.begin };
    return job;
}

/* The nearest place where a part may begin, at or before this record. */
static uint64_t part_begin(const Jobs *jobs, uint64_t record)
{
    return record - (record - jobs->events.begin) % jobs->step;
}

static void plan_stretches(Jobs *jobs, AnalysisRequest *request, const AnalysisDivision *division, Range events)
{
    uint64_t count = events.end - events.begin, begin = events.begin;

    jobs->events = events;
    jobs->step = MAX(division->step, 1);
    jobs->least = CLAMP(count / 8, LEAST_LEFT_MIN, LEAST_LEFT_MAX);
    jobs->most = (1 + MOST_TAKEN_OVER) * jobs->threads;
    for (unsigned i = 1; i <= jobs->threads; i++) {
        uint64_t end = events.begin + (uint64_t)((unsigned __int128)count * i / jobs->threads);

        end = i == jobs->threads ? events.end : part_begin(jobs, end);
        add_part(jobs, request, (Range){ begin, end });
        begin = end;
    }
}

/* Who does which stretch, chance decides: the first job stands for all of them in the progress. */
static void plan_turns(Jobs *jobs, AnalysisRequest *request, uint64_t step, Range events)
{
    jobs->stretches = stretches_new(jobs->whole->trace, step, events, jobs->threads);
    for (unsigned i = 0; i < jobs->threads; i++)
        add_job(jobs, request, i ? (Range){ events.end, events.end } : events);
}

/* All of them need all records, so one tells how far they are. Threads that get no part of the work decode. */
static void plan_keys(Jobs *jobs, AnalysisRequest *request, Range events, unsigned parts)
{
    /* One thread decodes at a time. While it finds out which records change nothing, another one goes on. */
    unsigned helpers = jobs->thins ? 2 : 1;

    for (unsigned i = 0; i < MIN(jobs->threads, parts + helpers); i++) {
        Job *job = add_job(jobs, request, events);

        job->part = (AnalysisPart){ .number = i, .count = parts };
        job->helps = i >= parts;
        job->shows_progress = !i;
    }
}

/* Why the trace can't be divided into stretches, or whatever else the analysis can do. NULL: it can. */
static const char *why_not_divided(const AnalysisDivision *division, const Input *input)
{
    if (division->split != ANALYSIS_BY_TIME && division->split != ANALYSIS_IN_TURN)
        return division->why_not;
    if (input_end_of_trace(input->trace) != mt_trace_records(input->trace))
        return "records are missing in the trace, so that it can't be divided by their numbers";
    if (division->split == ANALYSIS_IN_TURN)
        return stretches_why_not(input->trace, division->step, input_events(input));
    return division->counts_records && !input_selects_by_index(input)
               ? "a part must know how many of the selected records come before it"
               : NULL;
}

/* How one analysis is divided. Returns why there is only one part of the work, or NULL. */
static const char *plan_parts(Jobs *jobs, AnalysisRequest *request, const Input *input)
{
    AnalysisDivision division = analysis_request_divide(request, jobs->threads);
    const char *why_not = why_not_divided(&division, input);

    jobs->split = division.split == ANALYSIS_WHOLE || why_not ? ANALYSIS_BY_KEY : division.split;
    if (jobs->split == ANALYSIS_BY_TIME)
        plan_stretches(jobs, request, &division, input_events(input));
    if (jobs->split == ANALYSIS_IN_TURN)
        plan_turns(jobs, request, division.step, input_events(input));
    if (jobs->split != ANALYSIS_BY_KEY)
        return NULL;
    jobs->thins = division.thins;
    plan_keys(jobs, request, input_events(input), MAX(division.parts, 1));
    return division.parts > 1 ? NULL : why_not; /* it may be divided by keys instead of stretches */
}

/* Says on stderr what can't be divided. Returns false if there are no jobs then. */
static bool plan(Jobs *jobs, const GPtrArray *requests, const Input *input)
{
    const char *why_not;

    if (mt_trace_format(input->trace) != MT_FORMAT_FILE) {
        fprintf(stderr, "memory_tracer: note: one job does all, because a stream has no parts\n");
        return false;
    }
    if (requests->len > 1) {
        for (guint i = 0; i < requests->len; i++)
            add_job(jobs, requests->pdata[i], input_events(input));
        return true;
    }
    why_not = plan_parts(jobs, requests->pdata[0], input);
    if (why_not)
        fprintf(stderr, "memory_tracer: note: one job decodes and another one does the rest, because %s\n", why_not);
    return true;
}

static void begin_progress(Jobs *jobs)
{
    uint64_t records = 0;

    for (guint i = 0; i < jobs->list->len; i++) {
        const Job *job = jobs->list->pdata[i];

        if (job->shows_progress)
            records += MIN(mt_trace_records(jobs->whole->trace), job->events.end - job->events.begin);
    }
    progress_begin(&jobs->progress, records, false);
}

Jobs *jobs_new(const GPtrArray *requests, const Input *input, const char *path, const Selection *selection,
               unsigned most)
{
    g_autoptr(Jobs) jobs = g_new0(Jobs, 1);

    jobs->whole = input;
    jobs->path = path;
    jobs->selection = selection;
    jobs->threads = MIN(most, JOBS_MOST);
    jobs->list = g_ptr_array_new_with_free_func(job_free);
    g_mutex_init(&jobs->lock);
    g_mutex_init(&jobs->start);
    if (!plan(jobs, requests, input))
        return NULL;
    begin_progress(jobs);
    return g_steal_pointer(&jobs);
}

static const struct mt_batch *next_batch(Job *job, GError **error)
{
    return job->jobs->shared ? shared_input_next(job->jobs->shared, job->part.number, error)
                             : input_next_batch(job->input, error);
}

static size_t thin(void *pump, const struct mt_batch *batch, uint32_t *kept)
{
    return pump_thin(pump, batch, kept);
}

static bool read_all(Job *job, Pump *pump, GError **error)
{
    g_autoptr(GError) problem = NULL;
    const struct mt_batch *batch;

    while ((batch = next_batch(job, &problem)))
        if (!pump_add(pump, batch, error))
            return false;
    if (!problem)
        return true;
    g_propagate_error(error, g_steal_pointer(&problem));
    return false;
}

/* Lets the job have some more of its stretch, which nobody can take over then. Returns where what it has ends. */
static uint64_t claim(void *data)
{
    Job *job = data;

    g_mutex_lock(&job->jobs->lock);
    job->claimed = MIN(job->claimed + job->jobs->least / 16, job->events.end);
    g_mutex_unlock(&job->jobs->lock);
    return job->claimed;
}

static bool open_own(Job *job)
{
    Jobs *jobs = job->jobs;
    bool divides = jobs->split == ANALYSIS_BY_TIME; /* what it reads is said later */
    Range events = { job->events.begin, divides ? job->events.begin : job->events.end };

    job->input =
        input_open_part(jobs->whole, jobs->path, jobs->selection, pump_columns(job->requests), events, &job->error);
    if (!job->input)
        return false;
    if (divides)
        input_set_claim(job->input, claim, job);
    if (job->shows_progress)
        input_share_progress(job->input, &jobs->progress, &jobs->lock);
    if (jobs->split == ANALYSIS_WHOLE)
        job->context = context_new(job->input->trace);
    return true;
}

/* Lets the job leave out records that change nothing. */
static void begin_thin(Job *job)
{
    pump_begin_thin(job->pump);
    shared_input_set_thin(job->jobs->shared, job->part.number, thin, job->pump);
}

/* Of a thread. Its analysis, which can be merged, is there only to thin what it decodes, and to count it. */
static bool help(Job *job)
{
    Jobs *jobs = job->jobs;

    if (!jobs->shared)
        return true;
    if (jobs->thins) {
        job->pump = pump_new(job->requests, jobs->context, &job->error);
        if (!job->pump)
            return false;
        begin_thin(job);
    }
    shared_input_help(jobs->shared, job->part.number);
    return true;
}

/* What the analysis comes to in a stretch. NULL with an error. */
static Pump *do_stretch(Job *job, const TraceStretch *stretch, GError **error)
{
    AnalysisPart part = { .number = (unsigned)MIN(stretch->number, 1) };
    g_autoptr(Pump) pump = pump_new(job->requests, job->jobs->context, error);

    if (!pump)
        return NULL;
    pump_take_part(pump, &part);
    if (!input_restart(job->input, stretch->events, error) || !read_all(job, pump, error))
        return NULL;
    return g_steal_pointer(&pump);
}

static bool do_stretches(Job *job)
{
    Stretches *stretches = job->jobs->stretches;
    TraceStretch stretch;

    if (!open_own(job))
        return false;
    while (stretches_begin(stretches, &stretch)) {
        GError *error = NULL;
        Pump *pump = do_stretch(job, &stretch, &error);

        stretches_end(stretches, &stretch, pump, error);
    }
    return true;
}

/* Of a thread. */
static bool do_job(Job *job)
{
    Jobs *jobs = job->jobs;

    if (jobs->stretches)
        return do_stretches(job);
    if (job->helps)
        return help(job);
    if (!jobs->shared && !open_own(job))
        return false;
    job->pump = pump_new(job->requests, jobs->context ? jobs->context : job->context, &job->error);
    if (!job->pump)
        return false;
    if (jobs->split == ANALYSIS_WHOLE)
        pump_measure(job->pump);
    else if (jobs->split == ANALYSIS_BY_TIME || job->part.count > 1)
        pump_take_part(job->pump, &job->part);
    if (jobs->thins && jobs->shared)
        begin_thin(job);
    return read_all(job, job->pump, &job->error);
}

/* The job that has most left of its stretch, and how much that is. The lock is held. */
static Job *find_slowest(const Jobs *jobs, uint64_t *left)
{
    Job *slowest = NULL;

    *left = 0;
    for (guint i = 0; i < jobs->list->len; i++) {
        Job *job = jobs->list->pdata[i];

        if (job->events.end - job->claimed <= *left)
            continue;
        *left = job->events.end - job->claimed;
        slowest = job;
    }
    return slowest;
}

/* Makes the second half of what the slowest job has left a job of its own. NULL if that isn't worth while. The lock is
 * held. */
static Job *take_over(Jobs *jobs)
{
    uint64_t left;
    Job *slowest = find_slowest(jobs, &left), *taken;
    uint64_t begin = slowest ? part_begin(jobs, slowest->events.end - left / 2) : 0;

    if (jobs->list->len >= jobs->most || left < jobs->least || begin <= slowest->claimed)
        return NULL;
    taken = add_part(jobs, slowest->requests->pdata[0], (Range){ begin, slowest->events.end });
    slowest->events.end = begin;
    jobs->next++;
    return taken;
}

/* A job that nobody does yet, or NULL. */
static Job *next_job(Jobs *jobs)
{
    Job *job = NULL;

    g_mutex_lock(&jobs->lock);
    if (jobs->next < jobs->list->len)
        job = jobs->list->pdata[jobs->next++];
    else if (jobs->split == ANALYSIS_BY_TIME)
        job = take_over(jobs);
    g_mutex_unlock(&jobs->lock);
    return job;
}

/* Nobody needs to do what a job that has failed has left. */
static void give_up(Job *job)
{
    Jobs *jobs = job->jobs;

    if (jobs->shared)
        shared_input_stop(jobs->shared, job->part.number);
    if (jobs->stretches)
        stretches_stop(jobs->stretches);
    g_mutex_lock(&jobs->lock);
    job->claimed = job->events.end;
    g_mutex_unlock(&jobs->lock);
}

/* Of a thread: does jobs until all are taken. */
static gpointer do_some(gpointer data)
{
    Jobs *jobs = data;
    Job *job;

    g_mutex_lock(&jobs->start);
    g_mutex_unlock(&jobs->start);
    while ((job = next_job(jobs)))
        if (!do_job(job))
            give_up(job);
    return NULL;
}

static gint compare_begins(gconstpointer a, gconstpointer b)
{
    const Job *one = *(Job *const *)a, *other = *(Job *const *)b;

    return one->events.begin < other->events.begin ? -1 : one->events.begin > other->events.begin;
}

/* What the parts of an analysis share. What is divided by keys is decoded once, if each job has a thread. False with
 * an error. */
static bool share(Jobs *jobs, bool has_threads, GError **error)
{
    const Job *first = jobs->list->pdata[0];

    if (jobs->split == ANALYSIS_WHOLE)
        return true;
    jobs->context = context_new(jobs->whole->trace);
    if (jobs->split != ANALYSIS_BY_KEY || !has_threads)
        return true;
    jobs->input =
        input_open_part(jobs->whole, jobs->path, jobs->selection, pump_columns(first->requests), first->events, error);
    if (!jobs->input)
        return false;
    input_share_progress(jobs->input, &jobs->progress, &jobs->lock);
    jobs->shared = shared_input_new(jobs->input, first->part.count, jobs->list->len - first->part.count);
    return true;
}

static GPtrArray *start_threads(Jobs *jobs)
{
    GPtrArray *threads = g_ptr_array_new();

    for (guint i = 0; i < MIN(jobs->threads, jobs->list->len); i++) {
        GThread *thread = g_thread_try_new("job", do_some, jobs, NULL);

        if (thread)
            g_ptr_array_add(threads, thread);
    }
    return threads;
}

/* With fewer threads, if there can't be so many: then a thread does several jobs, one behind the other, and each of
 * them decodes for itself. */
static bool run_threads(Jobs *jobs, GError **error)
{
    g_autoptr(GPtrArray) threads = NULL;
    bool good;

    g_mutex_lock(&jobs->start);
    threads = start_threads(jobs);
    good = share(jobs, threads->len == jobs->list->len, error);
    if (!good)
        jobs->next = jobs->list->len;
    g_mutex_unlock(&jobs->start);
    if (!threads->len)
        do_some(jobs);
    for (guint i = 0; i < threads->len; i++)
        g_thread_join(threads->pdata[i]);
    progress_end(&jobs->progress);
    if (jobs->split == ANALYSIS_BY_TIME)
        g_ptr_array_sort(jobs->list, compare_begins);
    if (!good)
        return false;
    for (guint i = 0; i < jobs->list->len; i++) {
        Job *job = jobs->list->pdata[i];

        if (!job->error)
            continue;
        g_propagate_error(error, g_steal_pointer(&job->error));
        return false;
    }
    return true;
}

/* Each of them has read a part of the accesses, or all of them. */
static bool check_found(const Jobs *jobs, GError **error)
{
    g_autoptr(GPtrArray) inputs = g_ptr_array_new();

    for (guint i = 0; !jobs->shared && i < jobs->list->len; i++) {
        const Job *job = jobs->list->pdata[i];

        if (job->input)
            g_ptr_array_add(inputs, job->input);
    }
    if (jobs->shared)
        g_ptr_array_add(inputs, jobs->input);
    return input_check_found(inputs, error);
}

Pump *jobs_run(Jobs *jobs, GError **error)
{
    Job *first = jobs->list->pdata[0];

    if (!run_threads(jobs, error) || (jobs->stretches && !(first->pump = stretches_result(jobs->stretches, error))) ||
        !check_found(jobs, error))
        return NULL;
    for (guint i = 1; i < jobs->list->len; i++) {
        Job *job = jobs->list->pdata[i];

        if (jobs->split == ANALYSIS_WHOLE) {
            pump_join(first->pump, job->pump);
            continue;
        }
        if (job->pump && !pump_merge(first->pump, job->pump, error))
            return NULL;
        g_clear_pointer(&job->pump, pump_free);
    }
    return first->pump;
}
