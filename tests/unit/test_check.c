/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `memory_tracer check` with several threads has the same counts as with one, which reads the file from beginning to
 * end. */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "../../src/cmd/check.h"
#include "../../src/trace/file.h"
#include "../../src/trace/writer.h"

#define RECORDS 20000
#define BLOCK 512
#define ALL_FIELDS (MT_FIELD_INSTRUCTION | MT_FIELD_PADDR | MT_FIELD_VALUE | MT_FIELD_TIME)

static char *temporary_path(void)
{
    char *path = NULL;
    int fd = g_file_open_tmp("mt_check.XXXXXX", &path, NULL);

    g_assert_cmpint(fd, >=, 0);
    close(fd);
    return path;
}

/* Records of which some are wrong in one way or another. */
static size_t make_rows(GRand *random, unsigned vcpu, RowFrames *frames, WideRow rows[2])
{
    uint64_t address = 0x7000000 + 8 * (uint64_t)g_rand_int_range(random, 0, 100000), paddr = address & 0xffffff;
    unsigned fault = (unsigned)g_rand_int_range(random, 0, 40);
    uint64_t instruction = (uint64_t)g_rand_int_range(random, 0, 5), cpl = fault == 0 ? 0 : 3;
    WideRow wide = { 0 };

    if (fault == 1)
        address ^= UINT64_C(1) << 60;
    if (fault == 2)
        address |= UINT64_C(0xff) << 56;
    if (fault == 3)
        paddr = MT_PADDR_UNKNOWN;
    if (fault == 4)
        paddr |= UINT64_C(1) << 54;
    wide.record.info = GMBEOO_VALID | (fault == 5 ? 5 : 3) | cpl << GMBEOO_CPL_SHIFT |
                       (uint64_t)vcpu << GMBEOO_VCPU_SHIFT | instruction << ROW_INSTRUCTION_SHIFT;
    wide.record.virt_addr = address;
    return row_put((uint8_t *)rows, sizeof wide, &wide, frames, paddr);
}

static char *write_trace(GRand *random, unsigned vcpus)
{
    char *path = temporary_path();
    g_autoptr(TraceWriter) writer = trace_writer_new(path, ALL_FIELDS, vcpus, BLOCK, NULL);
    g_autofree RowFrames *frames = g_new0(RowFrames, vcpus);
    struct mt_instruction instructions[3] = { { .pc = 1, .cpl = 3, .length = 1 },
                                              { .pc = 2, .cpl = 0, .length = 1 },
                                              { .pc = 3, .cpl = 3, .length = 1 } };

    g_assert_true(trace_writer_add_instructions(writer, instructions, G_N_ELEMENTS(instructions), NULL));
    for (unsigned i = 0; i < RECORDS;) {
        unsigned count = (unsigned)g_rand_int_range(random, 1, 40), vcpu = (unsigned)g_rand_int_range(random, 0, 8);

        vcpu = vcpu < vcpus ? vcpu : 0;
        for (unsigned k = 0; k < count; k++) {
            WideRow rows[2];
            size_t made = make_rows(random, vcpu, &frames[vcpu], rows);

            g_assert_true(trace_writer_add(writer, vcpu, rows, made, 100 * i, NULL));
        }
        i += count;
    }
    g_assert_true(trace_writer_finish(writer, NULL));
    return path;
}

/* Gives a block another place and time, with good hashes, and takes the index away. */
static void move_blocks(GRand *random, const char *path, unsigned one_in)
{
    g_autofree char *contents = NULL;
    gsize bytes, at = sizeof(struct format_header);

    g_assert_true(g_file_get_contents(path, &contents, &bytes, NULL));
    for (;;) {
        struct format_chunk chunk;

        memcpy(&chunk, contents + at, sizeof chunk);
        if (chunk.type == FORMAT_INDEX)
            break;
        if (chunk.type == FORMAT_BLOCK && !g_rand_int_range(random, 0, (gint32)one_in)) {
            struct format_block *block = (struct format_block *)(contents + at + sizeof chunk);
            uint64_t by = (uint64_t)g_rand_int_range(random, 0, 3000), back = MIN(by, block->first);

            block->first -= back;
            block->end -= back;
            block->first_ns = block->first_ns > 100 * by ? block->first_ns - 100 * by : block->first_ns;
            block->last_ns = block->last_ns > 100 * by ? block->last_ns - 100 * by : block->last_ns;
            chunk.payload_hash = XXH3_64bits(contents + at + sizeof chunk, chunk.bytes);
            chunk.hash = XXH3_64bits(&chunk, offsetof(struct format_chunk, hash));
            memcpy(contents + at, &chunk, sizeof chunk);
        }
        at += sizeof chunk + format_padded(chunk.bytes);
    }
    g_assert_true(g_file_set_contents(path, contents, (gssize)at, NULL));
}

static bool read_in_order(const CheckFacts *facts, CheckCounts *counts, CheckOrder *order)
{
    mt_reader *reader = mt_reader_new(facts->trace, MT_COLUMN_ALL, NULL);
    const struct mt_batch *batch;
    bool failed;

    while ((batch = mt_reader_next(reader, NULL))) {
        CheckPlace place = check_place(batch);

        check_order(order, &place, counts);
        check_records(facts, batch, counts);
    }
    failed = mt_reader_has_failed(reader);
    mt_reader_free(reader);
    return !failed;
}

/* Returns what was found. */
static CheckCounts compare(const char *path, unsigned threads)
{
    mt_trace *trace = mt_trace_open(path, MT_FORMAT_FILE, NULL);
    CheckCounts expected = { 0 }, counts = { 0 };
    CheckOrder expected_order = { 0 }, order = { 0 };
    g_auto(CheckFacts) facts;
    Progress progress;
    bool fine;

    g_assert_nonnull(trace);
    progress_begin(&progress, mt_trace_records(trace), false);
    check_facts_init(&facts, trace, true);
    fine = read_in_order(&facts, &expected, &expected_order);
    g_assert_cmpint(check_blocks(&facts, threads, &counts, &order, &progress), ==, fine);
    if (fine) {
        g_assert_cmpmem(&counts, sizeof counts, &expected, sizeof expected);
        g_assert_cmpmem(&order, sizeof order, &expected_order, sizeof expected_order);
    } else {
        g_assert_cmpuint(counts.records, ==, 0);
    }
    mt_trace_close(trace);
    return fine ? counts : (CheckCounts){ 0 };
}

static void test_good_and_bad_records(void)
{
    static const Finding expected[] = { PROBLEM_SIZE,
                                        PROBLEM_ADDRESS,
                                        PROBLEM_PADDR,
                                        PROBLEM_KERNEL,
                                        PROBLEM_CPL,
                                        PROBLEM_INSTRUCTION,
                                        EXCEPTION_NO_PADDR,
                                        EXCEPTION_NO_INSTRUCTION,
                                        EXCEPTION_USER_IN_KERNEL };
    g_autoptr(GRand) random = g_rand_new_with_seed(1);

    for (unsigned vcpus = 1; vcpus <= 8; vcpus *= 2)
        for (unsigned threads = 1; threads <= 8; threads += 3) {
            g_autofree char *path = write_trace(random, vcpus);
            CheckCounts counts = compare(path, threads);

            g_assert_cmpuint(counts.records, >=, RECORDS);
            for (guint i = 0; i < G_N_ELEMENTS(expected); i++)
                g_assert_cmpuint(counts.found[expected[i]], >, 0);
            g_assert_cmpuint(counts.found[PROBLEM_ORDER] + counts.found[PROBLEM_MISSING], ==, 0);
            g_unlink(path);
        }
}

static void test_blocks_that_are_out_of_order(void)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(2);
    CheckCounts all = { 0 };

    for (unsigned i = 0; i < 40; i++) {
        g_autofree char *path = write_trace(random, 1 + i % 4);
        CheckCounts counts;

        move_blocks(random, path, 1 + i % 7);
        counts = compare(path, 4);
        check_counts_add(&all, &counts);
        g_unlink(path);
    }
    g_assert_cmpuint(all.found[PROBLEM_ORDER], >, 0);
    g_assert_cmpuint(all.found[PROBLEM_MISSING], >, 0);
    g_assert_cmpuint(all.found[PROBLEM_TIME], >, 0);
}

static void test_a_block_that_cannot_be_read(void)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(3);

    for (unsigned i = 0; i < 10; i++) {
        g_autofree char *path = write_trace(random, 2), *contents = NULL;
        gsize bytes;

        g_assert_true(g_file_get_contents(path, &contents, &bytes, NULL));
        contents[bytes / 12 * (i + 1)] ^= 1;
        g_assert_true(g_file_set_contents(path, contents, (gssize)bytes, NULL));
        g_assert_cmpuint(compare(path, 3).records, ==, 0);
        g_unlink(path);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/check/good_and_bad_records", test_good_and_bad_records);
    g_test_add_func("/check/blocks_that_are_out_of_order", test_blocks_that_are_out_of_order);
    g_test_add_func("/check/a_block_that_cannot_be_read", test_a_block_that_cannot_be_read);
    return g_test_run();
}
