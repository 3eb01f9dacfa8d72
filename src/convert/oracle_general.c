/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libCacheSim's oracleGeneral: 24-byte requests that tell when the same object is asked for next. So all of them are
 * kept in memory until the end. An object is a 64-byte line; an access that touches several lines makes a request for
 * each.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>

#include "../base/error.h"
#include "convert.h"

#define NEVER INT64_C(-1)
#define FIRST_ROOM (UINT64_C(1) << 20)

struct __attribute__((packed)) request {
    uint32_t clock_time; /* in s */
    uint64_t object;
    uint32_t bytes;
    int64_t next; /* the number of the next request of the object, counted from 1, as libCacheSim's own traces do */
};

_Static_assert(sizeof(struct request) == 24, "as the format has it");

typedef struct {
    struct request *requests;
    uint64_t count, room;
    GHashTable *last; /* the number of the last request, counted from 1, by line + 1 */
} Oracle;

static bool begin(Output *output, GError **error)
{
    Oracle *oracle = output->state = g_new0(Oracle, 1);

    oracle->room = FIRST_ROOM;
    oracle->requests = mmap(NULL, oracle->room * sizeof *oracle->requests, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    oracle->last = g_hash_table_new(g_direct_hash, g_direct_equal);
    return oracle->requests != MAP_FAILED || mt_fail(error, "there is no memory for the requests");
}

static bool add_request(Oracle *oracle, uint64_t line, uint64_t time_ns, GError **error)
{
    gpointer key = GSIZE_TO_POINTER(line + 1);
    uint64_t last = GPOINTER_TO_SIZE(g_hash_table_lookup(oracle->last, key));

    if (oracle->count == oracle->room) {
        void *more = mremap(oracle->requests, oracle->room * sizeof *oracle->requests,
                            2 * oracle->room * sizeof *oracle->requests, MREMAP_MAYMOVE);

        if (more == MAP_FAILED)
            return mt_fail(error, "there is no memory for more than %" G_GUINT64_FORMAT " requests", oracle->room);
        oracle->requests = more;
        oracle->room *= 2;
    }
    oracle->requests[oracle->count++] = (struct request){
        .clock_time = (uint32_t)(time_ns / 1000000000), .object = line << LINE_SHIFT, .bytes = LINE_BYTES, .next = NEVER
    };
    if (last)
        oracle->requests[last - 1].next = (int64_t)oracle->count;
    g_hash_table_insert(oracle->last, key, GSIZE_TO_POINTER(oracle->count));
    return true;
}

static bool add_access(Output *output, const Access *access, GError **error)
{
    uint64_t line = access->address >> LINE_SHIFT, last_line = (access->address + access->size - 1) >> LINE_SHIFT;
    bool fine;

    while ((fine = add_request(output->state, line, access->time_ns, error)) && line != last_line)
        line = (line + 1) & (UINT64_MAX >> LINE_SHIFT); /* the address space is a ring */
    return fine;
}

static bool end(Output *output, GError **error)
{
    const Oracle *oracle = output->state;

    return output_write(output, oracle->requests, oracle->count * sizeof *oracle->requests, error);
}

static void clear(Output *output)
{
    Oracle *oracle = output->state;

    munmap(oracle->requests, oracle->room * sizeof *oracle->requests);
    g_hash_table_unref(oracle->last);
    g_free(oracle);
}

const ConvertFormat convert_oracle_general = {
    .name = "oracleGeneral",
    .what =
        "libCacheSim's oracleGeneral: requests of 64-byte lines that know when they are wanted next (needs 24 bytes "
        "of memory for each)",
    .without = "whether it is a load or a store, sizes, CPL, vCPU, sign extension, endianness, instructions and "
               "values; times in seconds only",
    .columns = MT_COLUMN_TIME,
    .begin = begin,
    .access = add_access,
    .end = end,
    .clear = clear,
};
