/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ramulator 2's load/store traces: "LD 0x1234" and "ST 0x1234". */
#include "convert.h"

static bool write_access(Output *output, const Access *access, GError **error)
{
    return fprintf(output->file, "%s 0x%" G_GINT64_MODIFIER "x\n", mt_is_store(access->info) ? "ST" : "LD",
                   access->address) > 0 ||
           output_fail(output, error);
}

const ConvertFormat convert_ramulator2 = {
    .name = "ramulator2",
    .what = "Ramulator 2's load/store trace: \"LD 0xaddress\" and \"ST 0xaddress\" (see --physical)",
    .without = "sizes, CPL, vCPU, sign extension, endianness, instructions, values and times",
    .access = write_access,
};
