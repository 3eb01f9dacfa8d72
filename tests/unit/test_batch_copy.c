/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copies of batches: what each record and event becomes, and that a copy's memory can be used again. */
#include "../../src/source/batch_copy.h"

#include <string.h>

#define COUNT 6

static const uint64_t addresses[COUNT] = { 100, 101, 102, 103, 104, 105 };
static const uint8_t infos[COUNT] = { 0, 1, 2, 3, 32, 33 };
static const uint32_t instructions[COUNT] = { 7, 8, 9, 10, 11, 12 };
static const struct mt_value values[COUNT] = { { 1, 0 }, { 2, 0 }, { 3, 0 }, { 4, 0 }, { 5, 0 }, { 6, 0 } };
static const struct mt_event events[] = { { 0, 40 }, { 2, 41 }, { 3, 42 }, { 3, 43 }, { COUNT, 44 } };

static struct mt_batch make(void)
{
    return (struct mt_batch){ .count = COUNT,
                              .first = 1000,
                              .vcpu = 3,
                              .input = 1,
                              .time_ns = 55,
                              .address = addresses,
                              .info = infos,
                              .instruction = instructions,
                              .value = values,
                              .task = { .state = 39, .count = G_N_ELEMENTS(events), .event = events } };
}

static void check_rest(const struct mt_batch *copy, const struct mt_batch *batch)
{
    g_assert_cmpuint(copy->vcpu, ==, batch->vcpu);
    g_assert_cmpuint(copy->input, ==, batch->input);
    g_assert_cmpuint(copy->time_ns, ==, batch->time_ns);
    g_assert_null(copy->paddr);
    g_assert_null(copy->page_size);
    g_assert_null(copy->value_unknown);
    g_assert_cmpuint(copy->executed.count, ==, 0);
    g_assert_cmpuint(copy->task.state, ==, 39);
    g_assert_cmpuint(copy->task.count, ==, G_N_ELEMENTS(events));
}

static void test_all(void)
{
    g_autoptr(BatchCopy) copies = batch_copy_new();
    struct mt_batch batch = make();
    const struct mt_batch *copy = batch_copy_all(copies, &batch);

    g_assert_cmpuint(copy->count, ==, COUNT);
    g_assert_cmpuint(copy->first, ==, 1000);
    g_assert_null(copy->index);
    g_assert_true(copy->address != addresses);
    g_assert_cmpmem(copy->address, sizeof addresses, addresses, sizeof addresses);
    g_assert_cmpmem(copy->info, sizeof infos, infos, sizeof infos);
    g_assert_cmpmem(copy->instruction, sizeof instructions, instructions, sizeof instructions);
    g_assert_cmpmem(copy->value, sizeof values, values, sizeof values);
    g_assert_cmpmem(copy->task.event, sizeof events, events, sizeof events);
    check_rest(copy, &batch);
}

static void check_some(const struct mt_batch *copy, const uint32_t *some, size_t count, const uint64_t *indexes)
{
    g_assert_cmpuint(copy->count, ==, count);
    g_assert_cmpuint(copy->first, ==, indexes[0]);
    for (size_t i = 0; i < count; i++) {
        g_assert_cmpuint(copy->address[i], ==, addresses[some[i]]);
        g_assert_cmpuint(copy->info[i], ==, infos[some[i]]);
        g_assert_cmpuint(copy->instruction[i], ==, instructions[some[i]]);
        g_assert_cmpmem(&copy->value[i], sizeof *values, &values[some[i]], sizeof *values);
        g_assert_cmpuint(copy->index[i], ==, indexes[i]);
    }
}

/* Events stand before the first of the copied records that was behind them. */
static void test_some(void)
{
    static const uint32_t some[] = { 1, 3, 4 }, last[] = { 5 };
    static const uint64_t indexes[] = { 1001, 1003, 1004 }, given[COUNT] = { 5, 50, 500, 5000, 50000, 500000 },
                          given_some[] = { 50, 5000, 50000 }, last_index[] = { 1005 };
    static const uint32_t before[] = { 0, 1, 1, 1, 3 }, before_last[] = { 0, 0, 0, 0, 1 };
    g_autoptr(BatchCopy) copies = batch_copy_new();
    struct mt_batch batch = make();
    const struct mt_batch *copy = batch_copy_some(copies, &batch, some, G_N_ELEMENTS(some));

    check_some(copy, some, G_N_ELEMENTS(some), indexes);
    check_rest(copy, &batch);
    for (size_t i = 0; i < G_N_ELEMENTS(events); i++) {
        g_assert_cmpuint(copy->task.event[i].before, ==, before[i]);
        g_assert_cmpuint(copy->task.event[i].number, ==, events[i].number);
    }
    copy = batch_copy_some(copies, &batch, last, G_N_ELEMENTS(last));
    check_some(copy, last, G_N_ELEMENTS(last), last_index);
    for (size_t i = 0; i < G_N_ELEMENTS(events); i++)
        g_assert_cmpuint(copy->task.event[i].before, ==, before_last[i]);
    batch.index = given;
    check_some(batch_copy_some(copies, &batch, some, G_N_ELEMENTS(some)), some, G_N_ELEMENTS(some), given_some);
    batch.index = NULL;
    g_assert_null(batch_copy_all(copies, &batch)->index);
}

/* A batch may have events only. */
static void test_no_records(void)
{
    g_autoptr(BatchCopy) copies = batch_copy_new();
    struct mt_batch batch = make();

    batch.count = 0;
    batch.task.count = 1;
    g_assert_cmpuint(batch_copy_all(copies, &batch)->count, ==, 0);
    g_assert_nonnull(batch_copy_all(copies, &batch)->address);
    g_assert_cmpuint(batch_copy_all(copies, &batch)->task.event[0].number, ==, 40);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/batch_copy/all", test_all);
    g_test_add_func("/batch_copy/some", test_some);
    g_test_add_func("/batch_copy/no_records", test_no_records);
    return g_test_run();
}
