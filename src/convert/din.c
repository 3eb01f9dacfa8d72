/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dinero's "din" input: a label (0 read, 1 write) and a hexadecimal address. */
#include "convert.h"

static bool write_access(Output *output, const Access *access, GError **error)
{
    return fprintf(output->file, "%d %" G_GINT64_MODIFIER "x\n", mt_is_store(access->info), access->address) > 0 ||
           output_fail(output, error);
}

const ConvertFormat convert_din = {
    .name = "din",
    .what = "Dinero's input: \"0 address\" for a load, \"1 address\" for a store",
    .without = "sizes, CPL, vCPU, sign extension, endianness, instructions, values and times",
    .access = write_access,
};
