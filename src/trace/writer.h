/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes trace files (doc/trace_format.md). If the writer is killed, what it has written so far can be read. */
#ifndef MEMORY_TRACER_TRACE_WRITER_H
#define MEMORY_TRACER_TRACE_WRITER_H

#include <gio/gio.h>
#include <stdbool.h>

#include "../ring/ring.h"
#include "changes.h"

/* Large enough for the predictors to learn the code, small enough to hold some milliseconds of tracing only. */
#define TRACE_BLOCK_RECORDS (1u << 20)

typedef struct TraceWriter TraceWriter;

/* Creates `path`, or empties it if it is there; NULL with an error, as if another process writes a trace there.
 * `fields`: bits of enum mt_fields. `vcpus`: the number of vCPUs; 0 if it isn't known yet: then the header says
 * FORMAT_MAX_VCPUS until trace_writer_finish(). */
TraceWriter *trace_writer_new(const char *path, unsigned fields, unsigned vcpus, uint32_t block_records,
                              GError **error);
/* Closes the file. Without trace_writer_finish(), it lacks its last blocks and the index. */
void trace_writer_free(TraceWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TraceWriter, trace_writer_free)
/* Before trace_writer_free(), of a writer that isn't finished: removes the file if no record can be read of it. */
void trace_writer_remove_if_empty(TraceWriter *writer);

/* The guest's architecture (enum mt_architecture), if it isn't x86-64. To be called before anything is added. */
bool trace_writer_set_architecture(TraceWriter *writer, unsigned architecture, GError **error);
/* The input that the records come from which are added from now on; 0 in the beginning. A block has records of one
 * input.
 */
void trace_writer_set_input(TraceWriter *writer, unsigned input);

/* Says that the records come from this ring: its instructions, its changes and the number of its dropped records go
 * into the file. The ring must outlive the writer. */
void trace_writer_set_ring(TraceWriter *writer, Ring *ring);

/* `json`: an object. */
bool trace_writer_add_metadata(TraceWriter *writer, const char *json, GError **error);
bool trace_writer_add_attachment(TraceWriter *writer, const char *name, const void *data, size_t bytes, GError **error);
/* Adds instructions, whose numbers follow those added so far. To be called before the records that refer to them. */
bool trace_writer_add_instructions(TraceWriter *writer, const struct mt_instruction *instructions, uint32_t count,
                                   GError **error);
/*
 * Adds the trace's next records, which are of one vCPU, as rows of a ring with these fields. `time_ns`: see
 * encoder_add(). The low 12 bits of a physical address must be those of the virtual one.
 * With MT_FIELD_TASK or MT_FIELD_EXECUTED, rows without GMBEOO_VALID are events; the events of a vCPU that has no
 * access are left out.
 */
bool trace_writer_add(TraceWriter *writer, unsigned vcpu, const void *records, size_t count, uint64_t time_ns,
                      GError **error);
/* Adds a change, which takes place at change->index. (The changes of a ring come with its rows.) */
bool trace_writer_add_change(TraceWriter *writer, const TraceChange *change, GError **error);
/* Adds metadata that say how many records there are, for the end of traces whose metadata don't say it otherwise. */
bool trace_writer_add_total(TraceWriter *writer, GError **error);
/* How many records were added so far, and how many bytes the file has so far. */
uint64_t trace_writer_records(const TraceWriter *writer);
uint64_t trace_writer_bytes(const TraceWriter *writer);

/* Writes the last blocks and the index, and closes the file. False with an error. (It doesn't call fsync(): a recording
 * need not survive a crash of the machine.) */
bool trace_writer_finish(TraceWriter *writer, GError **error);

/* Appends an index and a footer for `entries` (struct format_index_entry) to the file `fd`, at `offset`. */
bool trace_write_index(int fd, uint64_t offset, const GArray *entries, GError **error);

#endif
