/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How fast stat is compared with decoding alone: a trace file is decoded, and decoded and analysed, in turns, on one
 * core. Times are the thread's processor time, which other processes disturb less than wall time. Prints, a line each,
 * what was done, the median rate in M records/s, and the median of the rounds' ratios to decoding alone.
 * usage: stat_rate [--rounds N] FILE.mtrace
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../src/analysis/pump.h"
#include "../src/analysis/stat.h"

#define MAX_ROUNDS 99
#define COLUMNS (MT_COLUMN_ADDRESS | MT_COLUMN_INFO | MT_COLUMN_INSTRUCTION)

/* With `words`, a request for analyses (NULL: none), and with or without making its result. */
typedef struct {
    const char *name, *words;
    bool describes;
    double seconds[MAX_ROUNDS];
} Contest;

static Contest contests[] = {
    { .name = "decoding" },
    { .name = "decoding, stat --brief", .words = "stat:brief" },
    { .name = "decoding, stat", .words = "stat" },
    { .name = "decoding, stat, its result", .words = "stat", .describes = true },
};

static volatile uint64_t sum; /* so that the compiler can't leave the decoding out */

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void fail(const char *message)
{
    fprintf(stderr, "stat_rate: %s\n", message);
    exit(1);
}

static double run(mt_trace *trace, const Contest *contest)
{
    g_autoptr(GPtrArray) requests = g_ptr_array_new_with_free_func((GDestroyNotify)analysis_request_free);
    double start = now_s(), seconds;
    g_autoptr(Context) context = contest->describes ? context_new(trace) : NULL;
    g_autoptr(Report) report = report_new();
    const struct mt_batch *batch;
    struct mt_error problem = { .message = "no memory" };
    mt_reader *reader = mt_reader_new(trace, COLUMNS, &problem);
    Pump *pump;

    if (contest->words)
        g_ptr_array_add(requests, analysis_request_parse(contest->words, NULL));
    pump = pump_new(requests, context, NULL);
    if (!reader || !pump)
        fail(problem.message);
    while ((batch = mt_reader_next(reader, &problem))) {
        sum += batch->address[0] + batch->info[batch->count - 1];
        pump_add(pump, batch, NULL);
    }
    if (*problem.message)
        fail(problem.message);
    if (contest->describes)
        pump_describe(pump, report, false);
    seconds = now_s() - start;
    pump_free(pump);
    mt_reader_free(reader);
    return seconds;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(const double *values, size_t count)
{
    double sorted[MAX_ROUNDS];

    memcpy(sorted, values, count * sizeof *values);
    qsort(sorted, count, sizeof *sorted, compare);
    return sorted[count / 2];
}

int main(int argc, char **argv)
{
    size_t rounds = 5;
    struct mt_error problem;
    mt_trace *trace;

    if (argc == 4 && !strcmp(argv[1], "--rounds")) {
        rounds = (size_t)CLAMP(atoi(argv[2]), 1, MAX_ROUNDS);
        argv += 2;
        argc -= 2;
    }
    if (argc != 2) {
        fprintf(stderr, "usage: stat_rate [--rounds N] FILE\n");
        return 2;
    }
    trace = mt_trace_open(argv[1], MT_FORMAT_FILE, &problem);
    if (!trace)
        fail(problem.message);
    for (size_t round = 0; round < rounds; round++) /* every other one in the opposite order */
        for (size_t k = 0; k < G_N_ELEMENTS(contests); k++) {
            size_t i = round % 2 ? G_N_ELEMENTS(contests) - 1 - k : k;

            contests[i].seconds[round] = run(trace, &contests[i]);
        }
    for (size_t i = 0; i < G_N_ELEMENTS(contests); i++) {
        double ratios[MAX_ROUNDS];

        for (size_t round = 0; round < rounds; round++)
            ratios[round] = contests[i].seconds[round] / contests[0].seconds[round];
        printf("%s\t%.3g\t%.2f\n", contests[i].name,
               (double)mt_trace_records(trace) / median(contests[i].seconds, rounds) / 1e6, median(ratios, rounds));
    }
    mt_trace_close(trace);
    return 0;
}
