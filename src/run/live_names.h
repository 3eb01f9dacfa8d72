/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The names of a live run's code, decided when it has ended, as they are for a recording. */
#ifndef MEMORY_TRACER_RUN_LIVE_NAMES_H
#define MEMORY_TRACER_RUN_LIVE_NAMES_H

#include "../../include/memory_tracer/trace.h"
#include "recording.h"

/* A trace file without records, in `folder`, with what a recording of the ring would tell of its instructions. They
 * have the same numbers there. To be closed, and the file removed with its folder. NULL with an error. */
mt_trace *live_names_make(Ring *ring, const RecordingFacts *facts, const char *folder, GError **error);

#endif
