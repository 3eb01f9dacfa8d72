/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the records of a run go: an analysis tool, a FIFO, a trace file, the built-in analysis, or nowhere. */
#ifndef MEMORY_TRACER_RUN_DESTINATION_H
#define MEMORY_TRACER_RUN_DESTINATION_H

#include <glib.h>
#include <stdbool.h>

#include "../base/loop.h"
#include "../ring/ring.h"
#include "live.h"
#include "recording.h"

typedef enum {
    DESTINATION_NONE,     /* not traced: the plugin isn't loaded */
    DESTINATION_TOOL,     /* a FIFO of ours that an analysis tool reads */
    DESTINATION_FIFO,     /* a FIFO of the user's */
    DESTINATION_TRACE,    /* a trace file */
    DESTINATION_ANALYSES, /* analyses */
    DESTINATION_NULL,     /* taken and discarded: measures the tracer itself */
    DESTINATION_IDLE,     /* the plugin is loaded, but not told to start: measures that */
} DestinationKind;

typedef struct DestinationOptions {
    DestinationKind kind;
    const char *path; /* of the tool, the FIFO or the trace file */
    unsigned fields;  /* enum mt_fields: what a trace file has, or analyses need */
    bool embed_debug; /* a trace file gets the debug information of the code that was executed */
    LiveOptions analyses;
    bool analyses_asked_for; /* by the user; else they are the ones that every run has */
    bool compact;            /* the FIFO gets compact records */
    unsigned wait_timeout_s; /* how long to wait for a tool or a reader that does nothing; 0: for ever */
} DestinationOptions;

typedef struct Destination Destination;

/* Starts the tool, waits for the FIFO's reader, and begins to take records out of `ring`. `info` is the workload's,
 * `facts` are for a trace file and analyses, `folder` is for temporary files. The options must stay. NULL with an
 * error. */
Destination *destination_start(const DestinationOptions *options, Ring *ring, const char *info,
                               const RecordingFacts *facts, const char *folder, RunLoop *loop, GError **error);
void destination_free(Destination *destination);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Destination, destination_free)

/* To be called again and again: makes `loop` fail if a reader has given up, or takes nothing for too long. */
void destination_watch(Destination *destination);

/* After the stop marker: waits until everything was taken, and for the tool's output. If somebody has asked to
 * stop, a reader that takes nothing for two seconds is an error. False with an error. */
bool destination_finish(Destination *destination, GError **error);
/* After a failure: waits some seconds for the remaining records to be taken. Returns whether all were taken. */
bool destination_drain(Destination *destination);

/* After that, for a trace file: completes it. `metadata` is a JSON object. False with an error. */
bool destination_finish_trace(Destination *destination, const char *metadata, GError **error);

/* What the tool has printed; NULL unless there is a tool. Belongs to `destination`. */
const char *destination_tool_output(const Destination *destination);
/* The size of the trace file in bytes; 0 if there is none. */
uint64_t destination_trace_bytes(const Destination *destination);
/* The analyses, or NULL. Belong to `destination`. */
LiveAnalyses *destination_analyses(const Destination *destination);

#endif
