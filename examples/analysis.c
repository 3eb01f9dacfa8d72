/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An analysis of one's own (memory_tracer/analysis.h): how many bytes each privilege level loads and stores.
 *
 *     cc -shared -fPIC -o bytes.so examples/analysis.c $(pkg-config --cflags libmemory_tracer)
 *     memory_tracer analyze --load ./bytes.so FILE
 */
#include <memory_tracer/analysis.h>
#include <stdio.h>
#include <stdlib.h>

struct bytes {
    uint64_t of[2][4]; /* by store, CPL */
};

static void *begin(struct mt_error *error)
{
    struct bytes *bytes = calloc(1, sizeof *bytes);

    if (!bytes)
        snprintf(error->message, sizeof error->message, "no memory");
    return bytes;
}

static bool add(void *state, const struct mt_batch *batch, struct mt_error *error)
{
    struct bytes *bytes = state;

    (void)error;
    for (size_t i = 0; i < batch->count; i++)
        bytes->of[mt_is_store(batch->info[i])][mt_cpl(batch->info[i])] += mt_size(batch->info[i]);
    return true;
}

static void describe(void *state, struct mt_report *report)
{
    const struct bytes *bytes = state;
    uint64_t all = bytes->of[0][0] + bytes->of[1][0] + bytes->of[0][3] + bytes->of[1][3];

    report->share(report, "loaded_by_the_kernel", bytes->of[0][0], all);
    report->share(report, "stored_by_the_kernel", bytes->of[1][0], all);
    report->share(report, "loaded_by_user_code", bytes->of[0][3], all);
    report->share(report, "stored_by_user_code", bytes->of[1][3], all);
}

const struct mt_analysis memory_tracer_analysis = { .abi = MT_ANALYSIS_ABI, .columns = MT_COLUMN_INFO, .name = "bytes",
    .summary = "bytes loaded and stored", .begin = begin, .add = add, .describe = describe, .end = free };
