/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Recording into a trace file: see recording.h. */
#include "recording.h"

#include <string.h>

#include "../base/error.h"
#include "../trace/writer.h"

struct Recording {
    Ring *ring;
    TraceWriter *writer;
    KnownCode *code;
    bool has_kernel;
    GError *error;
    bool is_finished;
};

static bool attach(Recording *recording, const char *name, const char *text, GError **error)
{
    return !text || trace_writer_add_attachment(recording->writer, name, text, strlen(text), error);
}

Recording *recording_start_of(const char *path, Ring *ring, unsigned fields, const RecordingFacts *facts,
                              GError **error)
{
    g_autoptr(Recording) recording = g_new0(Recording, 1);

    recording->ring = ring;
    recording->code = facts->code;
    recording->has_kernel = facts->kallsyms;
    recording->writer = trace_writer_new(path, fields, ring_vcpus(ring), TRACE_BLOCK_RECORDS, error);
    if (!recording->writer)
        return NULL;
    trace_writer_set_ring(recording->writer, ring);
    if ((facts->metadata && !trace_writer_add_metadata(recording->writer, facts->metadata, error)) ||
        !attach(recording, "kallsyms", facts->kallsyms, error) ||
        !attach(recording, "modules", facts->modules, error) || !attach(recording, "iomem", facts->iomem, error) ||
        !attach(recording, "libraries", facts->libraries, error))
        return NULL;
    return g_steal_pointer(&recording);
}

Recording *recording_start(const char *path, Ring *ring, const RecordingFacts *facts, GError **error)
{
    return recording_start_of(path, ring, ring_fields(ring), facts, error);
}

void recording_free(Recording *recording)
{
    if (!recording)
        return;
    if (recording->writer && !recording->is_finished)
        trace_writer_remove_if_empty(recording->writer);
    trace_writer_free(recording->writer);
    g_clear_error(&recording->error);
    g_free(recording);
}

bool recording_take(void *data, const struct gmbeoo_record *records, size_t count)
{
    Recording *recording = data;
    uint64_t time_ns = 0;

    if (!count)
        return true;
    if (ring_fields(recording->ring) & MT_FIELD_TIME)
        time_ns = ring_time(recording->ring, records);
    return trace_writer_add(recording->writer, ring_taken_vcpu(recording->ring), records, count, time_ns,
                            &recording->error);
}

const GError *recording_error(const Recording *recording)
{
    return recording->error;
}

bool recording_finish(Recording *recording, const char *metadata, GError **error)
{
    recording->is_finished =
        trace_writer_add_metadata(recording->writer, metadata, error) &&
        (!recording->code || !(ring_fields(recording->ring) & MT_FIELD_INSTRUCTION) ||
         known_code_attach(recording->code, recording->ring, recording->has_kernel, recording->writer, error)) &&
        trace_writer_finish(recording->writer, error);
    return recording->is_finished;
}

uint64_t recording_bytes(const Recording *recording)
{
    return trace_writer_bytes(recording->writer);
}
