/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DRAMSim3's traces: "0x12345680 READ 1200", the last word being the cycle at which the access arrives. */
#include "convert.h"

#define PS_PER_CYCLE 1000

static bool write_access(Output *output, const Access *access, GError **error)
{
    return fprintf(output->file, "0x%" G_GINT64_MODIFIER "X %s %" G_GUINT64_FORMAT "\n", access->address,
                   mt_is_store(access->info) ? "WRITE" : "READ", output_clock_ps(output, access) / PS_PER_CYCLE) > 0 ||
           output_fail(output, error);
}

const ConvertFormat convert_dramsim3 = {
    .name = "dramsim3",
    .what = "DRAMSim3's trace: \"0xADDRESS READ|WRITE cycle\"; a cycle is 1 ns of the trace's time, else 1 record; the "
            "first one is 0 (see --physical)",
    .without = "sizes, CPL, vCPU, sign extension, endianness, instructions and values",
    .requests = true,
    .columns = MT_COLUMN_TIME,
    .access = write_access,
};
