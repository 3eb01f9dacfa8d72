/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes trace files (doc/trace_format.md). What has been written so far can be read whatever happens afterwards. */
#ifndef MEMORY_TRACER_TRACE_WRITER_H
#define MEMORY_TRACER_TRACE_WRITER_H

#include <gio/gio.h>
#include <stdbool.h>

#include "../ring/ring.h"
#include "changes.h"

/* Large enough for the predictors to have learnt the code, small enough for some milliseconds of tracing. */
#define TRACE_BLOCK_RECORDS (1u << 20)

typedef struct TraceWriter TraceWriter;

/* Creates `path`, or empties it if it is there. `fields`: enum mt_fields. `vcpus`: how many there are; 0 if that
 * isn't known yet, which is FORMAT_MAX_VCPUS until trace_writer_finish() says how many there were. */
TraceWriter *trace_writer_new(const char *path, unsigned fields, unsigned vcpus, uint32_t block_records,
                              GError **error);
/* Closes the file as it is: unless trace_writer_finish() was called, without its last blocks and the index. */
void trace_writer_free(TraceWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TraceWriter, trace_writer_free)

/* Of enum mt_architecture; x86-64 unless this is called, which is to be done first. */
bool trace_writer_set_architecture(TraceWriter *writer, unsigned architecture, GError **error);
/* From which input of a merge the records are that are added from now on; 0 at first. A block has those of one. */
void trace_writer_set_input(TraceWriter *writer, unsigned input);

/* The records come from this ring: its instructions go into the file, and what it has dropped. */
void trace_writer_set_ring(TraceWriter *writer, Ring *ring);

/* `json`: an object. */
bool trace_writer_add_metadata(TraceWriter *writer, const char *json, GError **error);
bool trace_writer_add_attachment(TraceWriter *writer, const char *name, const void *data, size_t bytes, GError **error);
/* The instructions that follow those added so far. Before the records that refer to them. */
bool trace_writer_add_instructions(TraceWriter *writer, const struct mt_instruction *instructions, uint32_t count,
                                   GError **error);
/*
 * Records of one vCPU that come next in the trace, as a ring with these fields has them. `time_ns`: see
 * encoder_add(). The low 12 bits of a physical address must be those of the virtual one.
 * With MT_FIELD_TASK or MT_FIELD_EXECUTED, rows without GMBEOO_VALID are events; those of a vCPU without any access are
 * left out.
 */
bool trace_writer_add(TraceWriter *writer, unsigned vcpu, const void *records, size_t count, uint64_t time_ns,
                      GError **error);
/* A change that takes place behind the records that were added so far. (Those of a ring come with its rows.) */
bool trace_writer_add_change(TraceWriter *writer, const TraceChange *change, GError **error);
/* Metadata for the end, where nothing else tells it: how many records there are. */
bool trace_writer_add_total(TraceWriter *writer, GError **error);
/* How many records were added, and how large the file is so far. */
uint64_t trace_writer_records(const TraceWriter *writer);
uint64_t trace_writer_bytes(const TraceWriter *writer);

/* Writes what is left, and the index, and closes the file. (fsync isn't called: the system's buffers are good enough.)
 */
bool trace_writer_finish(TraceWriter *writer, GError **error);

/* Appends an index and a footer for `entries` (struct format_index_entry) to the file `fd`, at `offset`. */
bool trace_write_index(int fd, uint64_t offset, const GArray *entries, GError **error);

#endif
