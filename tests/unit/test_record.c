/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The layout of GMBEOO records is an interface: bit for bit. */
#include <glib.h>

#include <memory_tracer/record.h>
#include <memory_tracer/roi.h>

#include "../../src/ring/compact.h"
#include "../../src/ring/ring.h"

static void test_layout(void)
{
    /* A 4-byte sign-extended big-endian store at CPL 3 on vCPU 5, written out by hand. */
    const uint8_t bytes[16] = { 0xfa, 0x05, 0, 0, 0, 0, 0, 0x80, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11 };
    const struct gmbeoo_record *record = (const struct gmbeoo_record *)bytes;

    g_assert_cmpuint(sizeof *record, ==, 16);
    g_assert_cmpuint(gmbeoo_size_shift(record), ==, 2);
    g_assert_cmpuint(gmbeoo_size(record), ==, 4);
    g_assert_true(gmbeoo_is_sign_extended(record));
    g_assert_true(gmbeoo_is_big_endian(record));
    g_assert_true(gmbeoo_is_store(record));
    g_assert_cmpuint(gmbeoo_cpl(record), ==, 3);
    g_assert_cmpuint(gmbeoo_vcpu(record), ==, 5);
    g_assert_true(gmbeoo_is_valid(record));
    g_assert_cmphex(record->virt_addr, ==, 0x1122334455667788);
}

static void test_bits_are_apart(void)
{
    const struct gmbeoo_record load = { .info = GMBEOO_VALID | 4 };

    g_assert_cmpuint(gmbeoo_size(&load), ==, 16);
    g_assert_false(gmbeoo_is_store(&load));
    g_assert_false(gmbeoo_is_sign_extended(&load));
    g_assert_false(gmbeoo_is_big_endian(&load));
    g_assert_cmpuint(gmbeoo_cpl(&load), ==, 0);
    g_assert_cmpuint(gmbeoo_vcpu(&load), ==, 0);
}

/* They are NOPs: the program goes on, with or without a tracer. */
static void test_markers_do_nothing(void)
{
    MEMORY_TRACER_START();
    MEMORY_TRACER_STOP();
    for (volatile int i = 0; i < 3; i++) { /* may be unrolled or inlined: each has a label of its own */
        MEMORY_TRACER_ROI_BEGIN();
        MEMORY_TRACER_ROI_END();
    }
}

static void check_compact(uint64_t info, uint64_t address, unsigned words_expected)
{
    const struct gmbeoo_record record = { .info = info, .virt_addr = address };
    uint64_t words[2] = { 0 };
    struct gmbeoo_record back;

    g_assert_cmpuint(gmbeoo_to_compact(&record, words), ==, words_expected);
    g_assert_cmpuint(gmbeoo_from_compact(&back, words, 2), ==, words_expected);
    g_assert_cmphex(back.info, ==, info);
    g_assert_cmphex(back.virt_addr, ==, address);
    g_assert_cmpuint(gmbeoo_from_compact(&back, words, words_expected - 1), ==, 0);
}

static void test_compact(void)
{
    const struct gmbeoo_record record = { .info = GMBEOO_VALID | 5 << GMBEOO_VCPU_SHIFT | 0xfa,
                                          .virt_addr = UINT64_C(0xffff888077665544) };
    uint64_t words[2];

    g_assert_cmpuint(gmbeoo_to_compact(&record, words), ==, 1);
    g_assert_cmphex(words[0], ==, UINT64_C(0x05fa888077665544));
    for (uint64_t info = 0; info < 256; info++)
        for (uint64_t vcpu = 0; vcpu < 256; vcpu += 51) {
            uint64_t whole = GMBEOO_VALID | vcpu << GMBEOO_VCPU_SHIFT | info;

            if ((info & 7) == 7)
                continue; /* 128 bytes: there is no such access */
            check_compact(whole, 0, 1);
            check_compact(whole, UINT64_MAX, 1);
            check_compact(whole, UINT64_C(0x00007fffffffffff), 1);
            check_compact(whole, UINT64_C(0xffff800000000000), 1);
            check_compact(whole, UINT64_C(0x0000800000000000), 2);
            check_compact(whole, UINT64_C(0xffff7fffffffffff), 2);
            check_compact(whole, UINT64_C(0x0123456789abcdef), 2);
        }
}

/* Addresses around everything that the format distinguishes. */
static uint64_t any_address(GRand *random)
{
    uint64_t bits = (uint64_t)g_rand_int(random) << 32 | g_rand_int(random);
    const uint64_t edges[] = { 0,
                               UINT64_MAX,
                               UINT64_C(1) << 63,
                               UINT64_C(1) << 47,
                               UINT64_C(1) << 48,
                               -(UINT64_C(1) << 47),
                               -(UINT64_C(1) << 48) };

    switch (g_rand_int_range(random, 0, 4)) {
    case 0:
        return bits;
    case 1:
        return edges[g_rand_int_range(random, 0, G_N_ELEMENTS(edges))] + (uint64_t)g_rand_int_range(random, -2, 3);
    default:
        return (uint64_t)((int64_t)bits >> 17);
    }
}

/* `count` records, which may have any info, `escapes` of 64 any address. */
static void check_ways(GRand *random, size_t count, int escapes)
{
    g_autofree struct gmbeoo_record *records = g_new(struct gmbeoo_record, count + 1);
    g_autofree uint64_t *expected = g_new(uint64_t, 2 * count + 1);
    uint64_t *next = expected;

    for (size_t i = 0; i < count; i++) {
        records[i].info = (uint64_t)g_rand_int(random) << 32 | g_rand_int(random);
        records[i].virt_addr = g_rand_int_range(random, 0, 64) < escapes ? any_address(random) : g_rand_int(random);
        next += gmbeoo_to_compact(&records[i], next);
    }
    for (enum compact_way way = 0; way <= COMPACT_WAYS; way++) {
        g_autofree uint64_t *words = g_new(uint64_t, 2 * count + 1);
        size_t bytes;

        if (way < COMPACT_WAYS && !compact_way_works(way))
            continue;
        words[2 * count] = 42;
        bytes =
            way < COMPACT_WAYS ? compact_make(way, records, count, words) : ring_make_compact(records, count, words);
        g_assert_cmpmem(words, bytes, expected, (size_t)(next - expected) * sizeof *next);
        g_assert_cmpuint(words[2 * count], ==, 42);
    }
}

static void test_all_ways_to_compact_agree(void)
{
    GRand *random = g_rand_new_with_seed(1);

    for (int escapes = 0; escapes <= 64; escapes += 1 + escapes / 4)
        for (size_t count = 0; count < 70; count++)
            check_ways(random, count, escapes);
    for (int i = 0; i < 200; i++)
        check_ways(random, 1000, g_rand_int_range(random, 0, 65));
    g_rand_free(random);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/record/layout", test_layout);
    g_test_add_func("/record/bits_are_apart", test_bits_are_apart);
    g_test_add_func("/record/compact", test_compact);
    g_test_add_func("/roi/markers_do_nothing", test_markers_do_nothing);
    g_test_add_func("/record/all_ways_to_compact_agree", test_all_ways_to_compact_agree);
    return g_test_run();
}
