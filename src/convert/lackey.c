/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What valgrind's lackey prints with --trace-mem=yes: " L 1ffeffe7e0,8". */
#include "convert.h"

static bool write_access(Output *output, const Access *access, GError **error)
{
    return fprintf(output->file, " %c %08" G_GINT64_MODIFIER "x,%u\n", mt_is_store(access->info) ? 'S' : 'L',
                   access->address, access->size) > 0 ||
           output_fail(output, error);
}

const ConvertFormat convert_lackey = {
    .name = "lackey",
    .what = "the text of valgrind's lackey: \" L address,size\" and \" S address,size\"",
    .without = "CPL, vCPU, sign extension, endianness, values and times; instructions (its I lines), and a load and "
               "store of the same instruction are two lines and not one M",
    .access = write_access,
};
