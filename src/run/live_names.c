/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of a live run's code: see live_names.h. What a recording tells of its code doesn't depend on the records, so a
 * file without any has all of it, and whoever reads it finds the same names.
 */
#include "live_names.h"

#include "../base/error.h"

#define FIELDS (MT_FIELD_INSTRUCTION | MT_FIELD_TASK)

mt_trace *live_names_make(Ring *ring, const RecordingFacts *facts, const char *folder, GError **error)
{
    g_autofree char *path = g_build_filename(folder, "names", NULL);
    g_autoptr(Recording) recording = recording_start_of(path, ring, ring_fields(ring) & FIELDS, facts, error);
    struct mt_error problem;
    mt_trace *trace;

    if (!recording || !recording_finish(recording, "{}", error))
        return NULL;
    trace = mt_trace_open(path, MT_FORMAT_FILE, &problem);
    if (!trace)
        mt_fail(error, "%s", problem.message);
    return trace;
}
