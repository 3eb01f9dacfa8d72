/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Our own trace file, from a stream. (`cut` is the way from one trace file to another.) */
#include <string.h>

#include "../ring/ring.h"
#include "../run/error.h"
#include "../trace/format.h"
#include "../trace/writer.h"
#include "convert.h"

/* Errors name the file, not how the writer got at it. */
static bool explain(const Output *output, bool fine, GError *problem, GError **error)
{
    const char *why = problem ? strrchr(problem->message, ':') : NULL;

    if (!fine)
        mt_fail(error, "can't write %s%s", output->path, why ? why : "");
    g_clear_error(&problem);
    return fine;
}

static bool begin(Output *output, GError **error)
{
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fileno(output->file));

    if (!output->seekable)
        return mt_fail(error, "a trace file can't be written into a pipe");
    output->state = trace_writer_new(path, 0, output->vcpus, TRACE_BLOCK_RECORDS, error);
    return output->state;
}

static bool write_access(Output *output, const Access *access, GError **error)
{
    struct gmbeoo_record record = access_record(access);
    GError *problem = NULL;

    if (access->vcpu >= FORMAT_MAX_VCPUS)
        return mt_fail(error, "a trace file can't tell vCPU %u", access->vcpu);
    return explain(output, trace_writer_add(output->state, access->vcpu, &record, 1, 0, &problem), problem, error);
}

static bool end(Output *output, GError **error)
{
    GError *problem = NULL;

    return explain(output,
                   trace_writer_add_total(output->state, &problem) && trace_writer_finish(output->state, &problem),
                   problem, error);
}

static void clear(Output *output)
{
    trace_writer_free(output->state);
}

const ConvertFormat convert_trace = {
    .name = "trace",
    .what = "a trace file, from a stream ('cut' makes one from another trace file)",
    .without = "anything but addresses and what a stream's record says",
    .access = write_access,
    .begin = begin,
    .end = end,
    .clear = clear,
};
