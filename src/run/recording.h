/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A run that is recorded into a trace file. */
#ifndef MEMORY_TRACER_RUN_RECORDING_H
#define MEMORY_TRACER_RUN_RECORDING_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "../ring/ring.h"
#include "known_code.h"

/* What a trace file tells about its run. Everything belongs to the caller; any member may be NULL. */
typedef struct RecordingFacts {
    const char *metadata; /* a JSON object */
    const char *kallsyms, *modules, *iomem, *libraries;
    KnownCode *code;
    bool sees_host; /* paths in the guest are this machine's */
} RecordingFacts;

typedef struct Recording Recording;

/* Creates the file. Its records come from `ring`, whose fields it gets. NULL with an error. */
Recording *recording_start(const char *path, Ring *ring, const RecordingFacts *facts, GError **error);
/* The same with some of the ring's fields (enum mt_fields). Unless these are all, it can't take records. */
Recording *recording_start_of(const char *path, Ring *ring, unsigned fields, const RecordingFacts *facts,
                              GError **error);
/* Closes the file. Unless it was finished, it has no index; it can be read all the same. */
void recording_free(Recording *recording);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Recording, recording_free)

/* A RingSink; `recording` is the Recording. */
bool recording_take(void *recording, const struct gmbeoo_record *records, size_t count);
/* After recording_take() has returned false: why. Belongs to the recording. */
const GError *recording_error(const Recording *recording);

/* When all records were taken: writes what is left and the index. `metadata`: a JSON object with what is known only at
 * the end. False with an error. */
bool recording_finish(Recording *recording, const char *metadata, GError **error);
/* The size of the file so far, in bytes. */
uint64_t recording_bytes(const Recording *recording);

#endif
