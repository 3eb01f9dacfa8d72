/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Streams of compact 8-byte records: see include/memory_tracer/record.h. */
#include "../base/error.h"
#include "convert.h"

#define MAX_VCPU 255

static bool write_access(Output *output, const Access *access, GError **error)
{
    struct gmbeoo_record record = access_record(access);
    uint64_t words[2];

    if (access->vcpu > MAX_VCPU)
        return mt_fail(error, "compact records can't tell vCPU %u", access->vcpu);
    return output_write(output, words, gmbeoo_to_compact(&record, words) * sizeof *words, error);
}

const ConvertFormat convert_compact = {
    .name = "compact",
    .what = "a stream of 8-byte records",
    .without = "physical addresses, instructions, values and times",
    .sizes_are_powers = true,
    .access = write_access,
};
