/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One traced run, from the options to the results. */
#ifndef MEMORY_TRACER_RUN_SESSION_H
#define MEMORY_TRACER_RUN_SESSION_H

#include <glib.h>
#include <stdbool.h>

#include "../analysis/footprint.h"
#include "../ring/ring.h"
#include "error.h"

/* Where the records go. */
typedef enum {
    DESTINATION_NONE,      /* not traced: the plugin isn't loaded */
    DESTINATION_TOOL,      /* a FIFO of ours that an analysis tool reads */
    DESTINATION_FIFO,      /* a FIFO of the user's */
    DESTINATION_FOOTPRINT, /* the built-in analysis */
    DESTINATION_NULL,      /* taken and forgotten: measures the tracer itself */
    DESTINATION_IDLE,      /* the plugin is loaded, but not told to start: measures that */
} Destination;

typedef struct SessionOptions {
    const char *image;
    const char *snapshot;
    const char *qemu;            /* binary, or folder that has one */
    const char *const *workload; /* program and arguments */
    bool workload_is_on_host;    /* the program's file is put into the guest, with what it needs */
    bool workload_speaks;        /* the workload protocol: it says itself when it is ready and when to stop */
    Destination destination;
    const char *destination_path; /* of the tool or the FIFO */
    bool user_only;
    bool drop_when_full;
    unsigned ram_mb;         /* 0: what the image was made with */
    unsigned wait_timeout_s; /* how long to wait for a tool or a reader that does nothing; 0: for ever */
    bool pass_output;        /* the workload's output goes to our stdout and stderr; else both to stderr */
    bool verbose;
} SessionOptions;

typedef struct SessionResult {
    char *workload_info;
    char *analysis_output; /* DESTINATION_TOOL */
    uint64_t traced_ns;
    RingCounts counts;         /* unless DESTINATION_NONE */
    FootprintResult footprint; /* DESTINATION_FOOTPRINT */
    int signal;                /* that killed the workload, or 0 */
    int status;                /* its exit status */
} SessionResult;

#define SESSION_DEFAULT_WAIT_TIMEOUT_S 600

/* Runs. On failure everything that was started is stopped and everything temporary removed, and the result is empty. */
bool session_run(const SessionOptions *options, SessionResult *result, GError **error);
void session_result_clear(SessionResult *result);

#endif
