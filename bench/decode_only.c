/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An analysis that does nothing, so that records are only decoded (memory_tracer/analysis.h): others are compared with
 * it. */
#include <memory_tracer/analysis.h>

static uint64_t records;

static void *begin(struct mt_error *error)
{
    (void)error;
    return &records;
}

static bool add(void *state, const struct mt_batch *batch, struct mt_error *error)
{
    (void)error;
    *(uint64_t *)state += batch->count;
    return true;
}

static void describe(void *state, struct mt_report *report)
{
    report->count(report, "records", *(uint64_t *)state);
}

static void end(void *state)
{
    (void)state;
}

const struct mt_analysis memory_tracer_analysis = { .abi = MT_ANALYSIS_ABI,
                                                    .columns =
                                                        MT_COLUMN_ADDRESS | MT_COLUMN_INFO | MT_COLUMN_INSTRUCTION,
                                                    .name = "decoding",
                                                    .summary = "nothing but decoding",
                                                    .begin = begin,
                                                    .add = add,
                                                    .describe = describe,
                                                    .end = end };
