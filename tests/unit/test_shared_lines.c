/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines that several share: stretches that are counted apart and put together are the same as all records in order, and
 * the votes of all stretches find who made more than half of the accesses. What the figures are is tested against a
 * naive model in tests/system/test_sharing.py. */
#include "../../src/analysis/shared_lines.h"

#define RECORDS 200000u
#define BATCH_MOST 16
#define SHARERS 5
#define BYTES 1024 /* that are touched, in each of two spaces, and in the kernel's half */
#define INSTRUCTIONS 4

/* A batch of one sharer, and its arrays. */
typedef struct {
    struct mt_batch batch;
    uint64_t address[BATCH_MOST];
    uint8_t info[BATCH_MOST];
    uint32_t instruction[BATCH_MOST];
    uint64_t paddr[BATCH_MOST];
    uint32_t who, space;
} Batch;

static void make_batch(GRand *chance, Batch *own)
{
    own->batch = (struct mt_batch){ .count = (size_t)g_rand_int_range(chance, 1, BATCH_MOST + 1),
                                    .vcpu = (unsigned)g_rand_int_range(chance, 0, 2),
                                    .address = own->address,
                                    .info = own->info,
                                    .instruction = own->instruction,
                                    .paddr = own->paddr };
    own->who = (uint32_t)g_rand_int_range(chance, 0, SHARERS);
    own->space = (uint32_t)g_rand_int_range(chance, 1, 3);
    for (size_t i = 0; i < own->batch.count; i++) {
        uint64_t at = (uint64_t)g_rand_int_range(chance, 0, BYTES);
        bool is_kernel = g_rand_int_range(chance, 0, 4) == 0, is_store = g_rand_int_range(chance, 0, 5) == 0;

        own->address[i] = is_kernel ? UINT64_MAX - 2 * BYTES + at : at;
        own->paddr[i] = g_rand_int_range(chance, 0, 20) ? at ^ 64 : MT_PADDR_UNKNOWN;
        own->info[i] = (uint8_t)(g_rand_int_range(chance, 0, 8) | (is_store ? 1 << 5 : 0));
        own->instruction[i] = (uint32_t)g_rand_int_range(chance, 0, INSTRUCTIONS);
        g_assert_cmpint(mt_is_store(own->info[i]), ==, is_store);
    }
}

static uint32_t object_of(const void *data, const struct mt_batch *batch, size_t i)
{
    (void)data;
    return (uint32_t)batch->address[i] ^ batch->instruction[i];
}

static SharedLines *new_lines(void)
{
    SharedLines *lines = shared_lines_new();

    shared_lines_set_objects(lines, object_of, NULL);
    return lines;
}

static gint compare_lines(gconstpointer a, gconstpointer b)
{
    const SharedLine *one = *(const SharedLine *const *)a, *other = *(const SharedLine *const *)b;

    if (shared_line_block(one)->space != shared_line_block(other)->space)
        return shared_line_block(one)->space < shared_line_block(other)->space ? -1 : 1;
    return shared_line_address(one) < shared_line_address(other) ? -1 : 1;
}

static GPtrArray *list_lines(const SharedLines *lines, SharedSize size)
{
    GPtrArray *list = shared_lines_list(lines, size);

    g_ptr_array_sort(list, compare_lines);
    return list;
}

static const Sharer *find_sharer(const SharedLine *line, uint32_t number)
{
    const Sharer *sharer = shared_line_next(line, NULL);

    while (sharer && sharer_number(sharer) != number)
        sharer = shared_line_next(line, sharer);
    return sharer;
}

static void check_sharer(const SharedLine *line, const SharedLine *expected, uint32_t number)
{
    const Sharer *sharer = find_sharer(line, number), *other = find_sharer(expected, number);

    g_assert_cmpint(!sharer, ==, !other);
    for (SharerUse use = 0; sharer && use < SHARER_USES; use++) {
        SharerCount count = shared_line_uses(line, sharer, use), wanted = shared_line_uses(expected, other, use);

        g_assert_cmpuint(count.accesses, ==, wanted.accesses);
        g_assert_cmpuint(count.vote.votes, ==, wanted.vote.votes);
        if (count.vote.votes)
            g_assert_cmpuint(count.vote.instruction, ==, wanted.vote.instruction);
        g_assert_cmpuint(shared_line_words(line, sharer, use), ==, shared_line_words(expected, other, use));
    }
}

static void check_lines(const SharedLines *lines, const SharedLines *expected, SharedSize size)
{
    g_autoptr(GPtrArray) list = list_lines(lines, size), wanted = list_lines(expected, size);

    g_assert_cmpuint(list->len, ==, wanted->len);
    for (guint i = 0; i < list->len; i++) {
        const SharedLine *line = list->pdata[i], *other = wanted->pdata[i];

        g_assert_cmpuint(shared_line_address(line), ==, shared_line_address(other));
        g_assert_cmpuint(shared_line_block(line)->space, ==, shared_line_block(other)->space);
        g_assert_cmpint(shared_line_kind(line), ==, shared_line_kind(other));
        g_assert_cmpuint(line->invalidations, ==, other->invalidations);
        g_assert_cmpuint(line->ping_pongs, ==, other->ping_pongs);
        g_assert_cmpuint(line->virtual_address, ==, other->virtual_address);
        g_assert_cmpuint(line->object, ==, other->object);
        for (uint32_t number = 0; number < SHARERS; number++)
            check_sharer(line, other, number);
    }
}

static void check_pairs(const LineCounts *pairs, const LineCounts *expected)
{
    g_autoptr(GArray) list = line_counts_top(pairs, 0, (guint)pairs->lines);

    g_assert_cmpuint(pairs->lines, ==, expected->lines);
    for (guint i = 0; i < list->len; i++) {
        const LineCount *pair = &g_array_index(list, LineCount, i);

        g_assert_cmpuint(pair->counts[0], ==, line_counts_get((LineCounts *)expected, pair->key - 1)[0]);
    }
    g_assert_cmpuint(pairs->lines, ==, expected->lines);
}

static void check(const SharedLines *lines, const SharedLines *expected)
{
    for (SharedSize size = 0; size < SHARED_SIZES; size++) {
        g_assert_cmpuint(shared_lines_count(lines, size), ==, shared_lines_count(expected, size));
        check_lines(lines, expected, size);
        check_pairs(shared_lines_pairs(lines, size), shared_lines_pairs(expected, size));
    }
}

/* Stretches of up to `longest` batches, of which some are counted apart. */
static void compare_stretches(int longest, bool physical)
{
    g_autoptr(GRand) chance = g_rand_new_with_seed((guint32)longest);
    SharedLines *expected = new_lines(), *lines = new_lines();
    uint32_t number = 0;

    for (unsigned records = 0; records < RECORDS; number++) {
        SharedLines *next = g_rand_int_range(chance, 0, 3) ? new_lines() : NULL, *to = next ? next : lines;

        shared_lines_begin_stretch(expected, number);
        shared_lines_begin_stretch(to, number);
        for (int i = g_rand_int_range(chance, 0, longest + 1); i--;) {
            Batch own;

            make_batch(chance, &own);
            shared_lines_add(expected, &own.batch, 0, own.batch.count, own.who, own.space, physical);
            shared_lines_add(to, &own.batch, 0, own.batch.count, own.who, own.space, physical);
            records += (unsigned)own.batch.count;
        }
        if (next)
            shared_lines_merge(lines, next);
        shared_lines_free(next);
        if (number % 256 == 0)
            check(lines, expected);
    }
    check(lines, expected);
    g_assert_cmpuint(shared_lines_pairs(lines, SHARED_64)->lines, ==, SHARERS * (SHARERS - 1));
    shared_lines_free(lines);
    shared_lines_free(expected);
}

static void test_stretches(void)
{
    for (int longest = 1; longest <= 256; longest *= 4) {
        compare_stretches(longest, false);
        compare_stretches(longest, true);
    }
}

/* Whoever made more than half of the accesses is found, however these are divided into stretches. */
static void test_majority(void)
{
    g_autoptr(GRand) chance = g_rand_new_with_seed(3);
    unsigned majorities = 0;

    for (unsigned round = 0; round < 2000; round++) {
        SharedLines *lines = new_lines();
        unsigned counts[INSTRUCTIONS] = { 0 }, all = (unsigned)g_rand_int_range(chance, 1, 100), found = 0;
        uint32_t stretch = 0;

        for (unsigned i = 0; i < all; i++) {
            uint32_t instruction =
                g_rand_boolean(chance) ? round % INSTRUCTIONS : (uint32_t)g_rand_int_range(chance, 0, INSTRUCTIONS);
            uint64_t address = 0;
            uint8_t info = 2;
            struct mt_batch batch = { .count = 1, .address = &address, .info = &info, .instruction = &instruction };

            if (g_rand_int_range(chance, 0, 5) == 0)
                shared_lines_begin_stretch(lines, ++stretch);
            shared_lines_add(lines, &batch, 0, 1, 0, 0, false);
            if (!i) /* another one, so that the line is listed */
                shared_lines_add(lines, &batch, 0, 1, 1, 0, false);
            counts[instruction]++;
        }
        for (uint32_t i = 0; i < INSTRUCTIONS; i++)
            if (2 * counts[i] > all) {
                g_autoptr(GPtrArray) list = shared_lines_list(lines, SHARED_64);
                SharerCount count = shared_line_uses(list->pdata[0], find_sharer(list->pdata[0], 0), SHARER_LOADS);

                g_assert_cmpuint(count.accesses, ==, all);
                g_assert_cmpuint(count.vote.votes, >, 0);
                g_assert_cmpuint(count.vote.instruction, ==, i);
                found++;
            }
        majorities += found;
        shared_lines_free(lines);
    }
    g_assert_cmpuint(majorities, >, 1000);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/shared_lines/stretches", test_stretches);
    g_test_add_func("/shared_lines/majority", test_majority);
    return g_test_run();
}
