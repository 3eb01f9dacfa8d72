/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Our own trace file, made from a stream or another trace file, as `cut` makes it. */
#include <string.h>

#include "../base/error.h"
#include "../source/derive.h"
#include "convert.h"

static bool write_all(Output *output, Input *input, GError **error)
{
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fileno(output->file));
    g_autofree char *by_descriptor = g_strdup_printf("can't write %s", path);
    g_autoptr(GError) problem = NULL;

    if (!output->seekable)
        return mt_fail(error, "a trace file can't be written into a pipe");
    if (derive_part(input, output->words, path, &problem))
        return true;
    /* Errors of writing name the file, not how the writer got at it. */
    if (g_str_has_prefix(problem->message, by_descriptor))
        return mt_fail(error, "can't write %s%s", output->path, problem->message + strlen(by_descriptor));
    g_propagate_error(error, g_steal_pointer(&problem));
    return false;
}

const ConvertFormat convert_trace = {
    .name = "trace",
    .what = "a trace file, with all that the input has, as 'cut' writes it",
    .columns = MT_COLUMN_ALL | MT_COLUMN_TASK | MT_COLUMN_PAGE_SIZE,
    .all = write_all,
};
