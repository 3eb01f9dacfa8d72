/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ramulator 2's load/store traces: "LD 0x1234" and "ST 0x1234". Its reader takes addresses for signed numbers, and
 * aborts at the first one from 2^63 on. */
#include "../base/error.h"
#include "convert.h"

static bool write_access(Output *output, const Access *access, GError **error)
{
    if (access->address > INT64_MAX)
        return mt_fail(error,
                       "record %" G_GUINT64_FORMAT " is at 0x%" G_GINT64_MODIFIER
                       "x, but Ramulator 2 reads no address from 2^63 on: use --physical (of a trace with --fields "
                       "paddr), or leave out the kernel's half with --address ..8000000000000000",
                       access->index, access->address);
    return fprintf(output->file, "%s 0x%" G_GINT64_MODIFIER "x\n", mt_is_store(access->info) ? "ST" : "LD",
                   access->address) > 0 ||
           output_fail(output, error);
}

const ConvertFormat convert_ramulator2 = {
    .name = "ramulator2",
    .what = "Ramulator 2's load/store trace: \"LD 0xaddress\" and \"ST 0xaddress\"; no addresses from 2^63 on, so a "
            "kernel's need --physical",
    .without = "sizes, CPL, vCPU, sign extension, endianness, instructions, values and times",
    .requests = true,
    .access = write_access,
};
