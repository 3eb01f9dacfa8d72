/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Streams of 16-byte GMBEOO records: see include/memory_tracer/record.h. */
#include "convert.h"

static bool write_access(Output *output, const Access *access, GError **error)
{
    struct gmbeoo_record record = access_record(access);

    return output_write(output, &record, sizeof record, error);
}

const ConvertFormat convert_gmbeoo = {
    .name = "gmbeoo",
    .what = "a stream of 16-byte records, as in a FIFO",
    .without = "physical addresses, instructions, values and times",
    .sizes_are_powers = true,
    .access = write_access,
};
