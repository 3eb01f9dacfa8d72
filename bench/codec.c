/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How small and how fast a trace file is, against general compressors over the same records: all on one core, in
 * memory, in turns, medians. usage: codec [--rounds N] [--records N] FILE.mtrace
 */
#define _GNU_SOURCE
#include <lz4.h>
#include <lzma.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#include "../include/memory_tracer/record.h"
#include "../include/memory_tracer/trace.h"
#include "../src/trace/encoder.h"
#include "../src/trace/writer.h"

#define PIECE 65536 /* records that the others compress at a time */
#define XZ_SHARE 16 /* xz is slow: it gets a 16th of the records */
#define MAX_ROUNDS 99
#define LEFT_OUT UINT64_C(0x007fffffff000000) /* the number of the instruction, in a record's info */

typedef struct {
    struct gmbeoo_record *records; /* with the numbers of the instructions */
    uint64_t *compact;
    uint8_t *out;
    size_t count, room;
    mt_trace *trace; /* the first `count` records again, as a file in memory */
} Job;

typedef struct {
    const char *name;
    double (*run)(Job *job, double *bytes_per_record); /* gives records per second */
    double rates[MAX_ROUNDS], bytes_per_record;
} Contest;

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double encode_with(Job *job, unsigned fields, const struct gmbeoo_record *records, double *bytes_per_record)
{
    g_autoptr(Encoder) encoder = encoder_new(0, fields, TRACE_BLOCK_RECORDS);
    double start = now_s(), s;
    size_t bytes, total = 0;

    for (size_t at = 0; at < job->count;) {
        size_t count = MIN(RING_CHUNK_RECORDS, job->count - at);
        size_t taken = encoder_add(encoder, records + at, count, at, 0);

        at += taken;
        if (taken < count || encoder_records(encoder) == TRACE_BLOCK_RECORDS || at == job->count) {
            const uint8_t *payload = encoder_finish(encoder, 0, 0, &bytes);

            memcpy(job->out, payload, bytes); /* as write() would */
            total += bytes;
        }
    }
    s = now_s() - start;
    *bytes_per_record = (double)total / (double)job->count;
    return (double)job->count / s;
}

static double encode(Job *job, double *bytes_per_record)
{
    return encode_with(job, MT_FIELD_INSTRUCTION, job->records, bytes_per_record);
}

/* Shared by the decoding threads: each takes the next blocks when it is done with some. */
#define BLOCKS_AT_A_TIME 2
typedef struct {
    mt_trace *trace;
    unsigned columns;
    atomic_size_t next;
    atomic_ulong sum; /* of all records, so that the compiler can't leave the decoding out */
} DecodeJob;

static void *decode_some(void *data)
{
    DecodeJob *job = data;
    size_t blocks = mt_trace_blocks(job->trace), first;
    const struct mt_batch *batch;
    uint64_t sum = 0;

    while ((first = atomic_fetch_add(&job->next, BLOCKS_AT_A_TIME)) < blocks) {
        mt_reader *reader =
            mt_reader_new_blocks(job->trace, job->columns, first, MIN(first + BLOCKS_AT_A_TIME, blocks), NULL);

        while ((batch = mt_reader_next(reader, NULL)))
            sum += batch->address[0] + batch->info[batch->count - 1];
        mt_reader_free(reader);
    }
    atomic_fetch_add(&job->sum, sum);
    return NULL;
}

static double decode_by(Job *job, unsigned threads, unsigned columns)
{
    DecodeJob shared = { .trace = job->trace, .columns = columns };
    double start = now_s();
    pthread_t ids[2];

    for (unsigned i = 0; i < threads; i++)
        pthread_create(&ids[i], NULL, decode_some, &shared);
    for (unsigned i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    return (double)job->count / (now_s() - start);
}

#define BASE (MT_COLUMN_ADDRESS | MT_COLUMN_INFO)

static double decode(Job *job, double *bytes_per_record)
{
    *bytes_per_record = 0;
    return decode_by(job, 1, BASE);
}

static double decode_with_pc(Job *job, double *bytes_per_record)
{
    *bytes_per_record = 0;
    return decode_by(job, 1, BASE | MT_COLUMN_INSTRUCTION);
}

static double decode_by_two(Job *job, double *bytes_per_record)
{
    *bytes_per_record = 0;
    return decode_by(job, 2, BASE);
}

typedef size_t (*Compressor)(Job *job, const void *data, size_t bytes);

static size_t with_memcpy(Job *job, const void *data, size_t bytes)
{
    memcpy(job->out, data, bytes);
    return bytes;
}

static size_t with_zstd(Job *job, const void *data, size_t bytes)
{
    static ZSTD_CCtx *context;

    if (!context)
        context = ZSTD_createCCtx();
    return ZSTD_compressCCtx(context, job->out, job->room, data, bytes, 1);
}

static size_t with_lz4(Job *job, const void *data, size_t bytes)
{
    return (size_t)LZ4_compress_default(data, (char *)job->out, (int)bytes, (int)job->room);
}

static size_t with_xz(Job *job, const void *data, size_t bytes)
{
    size_t at = 0;

    if (lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, NULL, data, bytes, job->out, &at, job->room) != LZMA_OK)
        abort();
    return at;
}

static double compress(Job *job, const void *data, size_t record_bytes, size_t share, Compressor compressor,
                       double *bytes_per_record)
{
    size_t total = 0, done = 0;
    double start = now_s(), s;

    for (size_t at = 0; at < job->count; at += PIECE * share) {
        size_t count = MIN(PIECE, job->count - at);

        total += compressor(job, (const uint8_t *)data + at * record_bytes, count * record_bytes);
        done += count;
    }
    s = now_s() - start;
    *bytes_per_record = (double)total / (double)done;
    return (double)done / s;
}

static double raw16(Job *job, double *bytes)
{
    return compress(job, job->records, 16, 1, with_memcpy, bytes);
}

static double lz4_8(Job *job, double *bytes)
{
    return compress(job, job->compact, 8, 1, with_lz4, bytes);
}

static double zstd_8(Job *job, double *bytes)
{
    return compress(job, job->compact, 8, 1, with_zstd, bytes);
}

static double xz_8(Job *job, double *bytes)
{
    return compress(job, job->compact, 8, XZ_SHARE, with_xz, bytes);
}

/* Without the numbers of the instructions: what a stream has. */
static struct gmbeoo_record *plain_records(const Job *job)
{
    struct gmbeoo_record *plain = malloc(job->count * sizeof *plain);

    for (size_t i = 0; plain && i < job->count; i++)
        plain[i] = (struct gmbeoo_record){ job->records[i].info & ~LEFT_OUT, job->records[i].virt_addr };
    return plain;
}

static struct gmbeoo_record *plain;

static double zstd_16(Job *job, double *bytes)
{
    return compress(job, plain, 16, 1, with_zstd, bytes);
}

static double encode_plain(Job *job, double *bytes)
{
    return encode_with(job, 0, plain, bytes);
}

static Contest contests[] = {
    { .name = "raw, 16 bytes (copied)", .run = raw16 },
    { .name = "lz4, of 8-byte records", .run = lz4_8 },
    { .name = "zstd -1, of 8-byte records", .run = zstd_8 },
    { .name = "zstd -1, of 16-byte records", .run = zstd_16 },
    { .name = "xz -6, of 8-byte records", .run = xz_8 },
    { .name = "trace file, base fields and pc", .run = encode },
    { .name = "trace file, from a stream (no pc)", .run = encode_plain },
    { .name = "reading: base fields", .run = decode },
    { .name = "reading: base fields and pc", .run = decode_with_pc },
    { .name = "reading: base fields, two threads", .run = decode_by_two },
};

/* Takes the first records of a trace into memory, and makes a file of them in memory. */
static void load(Job *job, const char *path, size_t most)
{
    struct mt_error error;
    mt_trace *trace = mt_trace_open(path, MT_FORMAT_FILE, &error);
    mt_reader *reader = trace ? mt_reader_new(trace, MT_COLUMN_ALL, &error) : NULL;
    const struct mt_batch *batch;
    int fd = memfd_create("trace", 0);
    g_autofree char *copy = g_strdup_printf("/proc/self/fd/%d", fd);
    TraceWriter *writer = trace_writer_new(copy, MT_FIELD_INSTRUCTION, 1, TRACE_BLOCK_RECORDS, NULL);

    job->records = malloc(most * sizeof *job->records);
    job->compact = malloc(2 * most * sizeof *job->compact);
    job->room = PIECE * 16 * 2;
    job->room = MAX(job->room, TRACE_BLOCK_RECORDS * 16);
    job->out = malloc(job->room);
    if (!reader || !job->records || !job->compact || !job->out || !writer) {
        fprintf(stderr, "codec: %s\n", reader ? "no memory" : error.message);
        exit(1);
    }
    while (job->count < most && (batch = mt_reader_next(reader, &error)))
        for (size_t i = 0; i < batch->count && job->count < most; i++) {
            struct gmbeoo_record *record = &job->records[job->count];

            record->info = GMBEOO_VALID | batch->info[i];
            record->virt_addr = batch->address[i];
            gmbeoo_to_compact(record, job->compact + job->count);
            record->info |= (uint64_t)batch->instruction[i] << ROW_INSTRUCTION_SHIFT;
            job->count++;
        }
    if (!trace_writer_add(writer, 0, job->records, job->count, 0, NULL) || !trace_writer_finish(writer, NULL))
        abort();
    trace_writer_free(writer);
    job->trace = mt_trace_open_fd(fd, "memory", MT_FORMAT_FILE, &error);
    mt_reader_free(reader);
    mt_trace_close(trace);
    plain = plain_records(job);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    size_t most = 40000000;
    int rounds = 5;
    Job job = { 0 };

    while (argc > 2 && argv[1][0] == '-') {
        if (!strcmp(argv[1], "--rounds"))
            rounds = CLAMP(atoi(argv[2]), 1, MAX_ROUNDS);
        else if (!strcmp(argv[1], "--records"))
            most = strtoull(argv[2], NULL, 0);
        argc -= 2;
        argv += 2;
    }
    if (argc != 2) {
        fprintf(stderr, "usage: codec [--rounds N] [--records N] FILE\n");
        return 2;
    }
    load(&job, argv[1], most);
    for (int round = 0; round < rounds; round++)
        for (size_t i = 0; i < G_N_ELEMENTS(contests); i++)
            contests[i].rates[round] = contests[i].run(&job, &contests[i].bytes_per_record);
    for (size_t i = 0; i < G_N_ELEMENTS(contests); i++) {
        Contest *contest = &contests[i];

        qsort(contest->rates, (size_t)rounds, sizeof *contest->rates, compare);
        if (contest->bytes_per_record > 0)
            printf("%s\t%.3f\t%.3g\n", contest->name, contest->bytes_per_record, contest->rates[rounds / 2] / 1e6);
        else
            printf("%s\t\t%.3g\n", contest->name, contest->rates[rounds / 2] / 1e6);
    }
    return 0;
}
