/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How fast records become compact ones, on one core, in millions per second of CPU time: as the FIFO's writer makes
 * them, from a ring of the usual size into a page of 2 MiB. usage: compact [ROUNDS] (default 5; medians are printed)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../src/ring/compact.h"
#include "../src/ring/ring.h"

#define RING_RECORDS (RING_DEFAULT_BYTES / sizeof(struct gmbeoo_record))
#define PAGE_BYTES (2u * 1024 * 1024)
#define PASSES 100
#define MAX_ROUNDS 1000

static const char *const names[COMPACT_WAYS] = { "scalar", "SSE2", "AVX2" };

/* One of `every` addresses, which is a power of two, needs an escape. */
static void fill(struct gmbeoo_record *records, uint64_t every)
{
    for (uint64_t i = 0; i < RING_RECORDS; i++) {
        uint64_t random = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);

        records[i].info = GMBEOO_VALID | (random & 0xf3) | (random & 3 << GMBEOO_VCPU_SHIFT);
        records[i].virt_addr = (uint64_t)((int64_t)random >> 17);
        if (every && (random >> 20) % every == 0)
            records[i].virt_addr ^= UINT64_C(1) << 60;
    }
}

static void convert(int way, const struct gmbeoo_record *records, uint8_t *page)
{
    uint64_t *words = (uint64_t *)page;
    size_t room = PAGE_BYTES / sizeof *words, used = 0;

    for (size_t at = 0; at < RING_RECORDS; at += RING_PIECE_RECORDS) {
        if (room - used < 2 * RING_PIECE_RECORDS)
            used = 0;
        if (way < 0)
            memcpy(page, records + at, RING_PIECE_RECORDS * sizeof *records);
        else
            used += compact_make((enum compact_way)way, records + at, RING_PIECE_RECORDS, words + used) / sizeof *words;
    }
}

/* The CPU time of this thread in us, which other processes disturb less than the wall time. */
static double cpu_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void measure(const char *name, int way, int rounds, const struct gmbeoo_record *records, uint8_t *page)
{
    double rates[MAX_ROUNDS];

    for (int round = 0; round < rounds; round++) {
        double began_us = cpu_us();

        for (int pass = 0; pass < PASSES; pass++)
            convert(way, records, page);
        rates[round] = (double)RING_RECORDS * PASSES / (cpu_us() - began_us);
    }
    qsort(rates, (size_t)rounds, sizeof *rates, compare);
    printf("%s\t%.0f\n", name, rates[rounds / 2]);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? CLAMP(atoi(argv[1]), 1, MAX_ROUNDS) : 5;
    g_autofree struct gmbeoo_record *records = g_new(struct gmbeoo_record, RING_RECORDS);
    g_autofree uint8_t *page = g_malloc0(PAGE_BYTES);

    fill(records, 0);
    measure("16-byte records, copied", -1, rounds, records, page);
    for (int way = 0; way < COMPACT_WAYS; way++)
        if (compact_way_works((enum compact_way)way))
            measure(names[way], way, rounds, records, page);
    fill(records, 1024);
    for (int way = 0; way < COMPACT_WAYS; way++)
        if (compact_way_works((enum compact_way)way)) {
            g_autofree char *name = g_strdup_printf("%s, one address in 1024 escaped", names[way]);

            measure(name, way, rounds, records, page);
        }
    return 0;
}
