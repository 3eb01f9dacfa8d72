/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads a trace with libmemory_tracer and tells what it found: loads, stores and their bytes, by privilege level. A
 * trace file is read by two threads at once.
 *
 * cc read_trace.c $(pkg-config --cflags --libs libmemory_tracer) -lpthread
 * usage: read_trace FILE      (a trace file, or a stream; "-" is standard input)
 */
#include <inttypes.h>
#include <memory_tracer/trace.h>
#include <pthread.h>
#include <stdio.h>

#define THREADS 2

struct totals {
    uint64_t accesses[2][4]; /* by is_store and CPL */
    uint64_t bytes;
};

struct job {
    mt_reader *reader;
    struct totals totals;
    struct mt_error error;
    int failed;
};

static void *read_all(void *data)
{
    struct job *job = data;
    const struct mt_batch *batch;

    while ((batch = mt_reader_next(job->reader, &job->error)))
        for (size_t i = 0; i < batch->count; i++) {
            job->totals.accesses[mt_is_store(batch->info[i])][mt_cpl(batch->info[i])]++;
            job->totals.bytes += mt_size(batch->info[i]);
        }
    job->failed = mt_reader_has_failed(job->reader);
    return NULL;
}

int main(int argc, char **argv)
{
    struct job jobs[THREADS] = { 0 };
    pthread_t threads[THREADS];
    struct totals all = { 0 };
    struct mt_error error;
    int count = 1, status = 0;
    mt_trace *trace;

    if (argc != 2) {
        fprintf(stderr, "usage: read_trace FILE\n");
        return 2;
    }
    trace = mt_trace_open(argv[1], MT_FORMAT_AUTO, &error);
    if (!trace) {
        fprintf(stderr, "read_trace: %s\n", error.message);
        return 1;
    }
    if (mt_trace_format(trace) == MT_FORMAT_FILE) {
        size_t blocks = mt_trace_blocks(trace);

        count = THREADS;
        for (int i = 0; i < count; i++)
            jobs[i].reader = mt_reader_new_blocks(trace, MT_COLUMN_INFO, blocks * (size_t)i / THREADS,
                                                  blocks * (size_t)(i + 1) / THREADS, &error);
    } else {
        jobs[0].reader = mt_reader_new(trace, MT_COLUMN_INFO, &error);
    }
    for (int i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, read_all, &jobs[i])) {
            fprintf(stderr, "read_trace: can't start a thread\n");
            return 1;
        }
    for (int i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
        if (jobs[i].failed) {
            fprintf(stderr, "read_trace: %s\n", jobs[i].error.message);
            status = 1;
        }
        for (int store = 0; store < 2; store++)
            for (int cpl = 0; cpl < 4; cpl++)
                all.accesses[store][cpl] += jobs[i].totals.accesses[store][cpl];
        all.bytes += jobs[i].totals.bytes;
        mt_reader_free(jobs[i].reader);
    }
    for (int cpl = 0; cpl < 4; cpl++)
        if (all.accesses[0][cpl] || all.accesses[1][cpl])
            printf("CPL %d: %" PRIu64 " loads, %" PRIu64 " stores\n", cpl, all.accesses[0][cpl], all.accesses[1][cpl]);
    printf("%" PRIu64 " bytes\n", all.bytes);
    if (!mt_trace_is_complete(trace))
        printf("the trace is incomplete: %s\n", mt_trace_damage(trace));
    mt_trace_close(trace);
    return status;
}
