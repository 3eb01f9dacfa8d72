/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One traced run, from the options to the results. */
#ifndef MEMORY_TRACER_RUN_SESSION_H
#define MEMORY_TRACER_RUN_SESSION_H

#include <glib.h>
#include <stdbool.h>

#include "../base/error.h"
#include "../vm/guest.h"
#include "destination.h"

typedef struct SessionOptions {
    bool native; /* no guest: the workload runs on this machine, untraced, and the next four are ignored */
    const char *image;
    const char *snapshot;
    const char *qemu; /* binary, or folder that has one */
    unsigned ram_mb;  /* 0: what the snapshot was made with */
    WorkloadOptions workload;
    CaptureOptions capture;
    DestinationOptions destination;
    const char *const *notes; /* lines for the user, told when the run begins; or NULL */
    const char *summary;      /* a file that the caller will write; or NULL */
    bool icount;
    bool display;   /* QEMU's usual display, and its monitor on the terminal */
    bool keep_qemu; /* session_stay() will be called */
    bool verbose;
} SessionOptions;

typedef struct SessionResult {
    const char *workload_info;
    const char *analysis_output;     /* DESTINATION_TOOL */
    uint64_t traced_ns;              /* without what lay outside the regions of interest */
    uint64_t guest_ns;               /* from start to stop, by the guest's clock */
    RingCounts counts;               /* unless DESTINATION_NONE */
    uint64_t regions;                /* of interest that the workload has marked, with capture.roi */
    uint64_t open_regions;           /* of these, the ones that were still open when the workload ended */
    uint64_t ignored_markers;        /* START and STOP of roi.h, which are not for the workload */
    uint64_t lost_changes;           /* of tasks and mappings: there was no room for them */
    uint64_t trace_bytes;            /* DESTINATION_TRACE: the file's size */
    LiveAnalyses *analyses;          /* with DESTINATION_ANALYSES; or NULL */
    bool timed_out;                  /* the workload was stopped after workload.timeout_s */
    bool exited;                     /* it is known how the workload ended: */
    int signal;                      /* that killed it, or 0 */
    int status;                      /* its exit status */
    bool until_succeeded;            /* it was ended, as the command workload.until has succeeded */
    unsigned out_of_memory;          /* how many processes the guest's kernel has killed because memory was short */
    unsigned guest_ram_mb;           /* how much memory the guest has; 0: no guest */
    const char *last_words;          /* the end of its standard error */
    uint64_t files_dropped;          /* that the workload has made, changed or removed, with workload.sees_host */
    bool disk_is_full;               /* the guest's disk, to which these changes went */
    const char *files_problem;       /* why some of what was written isn't where it should be, or NULL */
    const GPtrArray *missing_code;   /* MissingCode: files whose code has no names; or NULL */
    uint64_t debug_bytes;            /* of trace_bytes: debug information */
    const GPtrArray *debug_left_out; /* char *: files whose debug information had no room in the trace; or NULL */
    const char *ended_by;            /* what ended the trace before the workload's end, or NULL */
    const GError *stopped; /* why tracing was stopped before the workload's end: Ctrl-C and the like; or NULL */
} SessionResult;

#define SESSION_DEFAULT_WAIT_TIMEOUT_S 600

typedef struct Session Session;

/* `options` must stay as they are until the session is freed. */
Session *session_new(const SessionOptions *options);
/* Runs the workload. The result's pointers belong to the session. Ctrl-C ends the workload, and the results are those
 * of what was traced until then; a second Ctrl-C makes the run fail. False with an error. */
bool session_run(Session *session, SessionResult *result, GError **error);
/* Queues text for printing; a reader that takes nothing blocks nobody (loop.h). */
void session_print(Session *session, const GString *text);
void session_print_error(Session *session, const GString *text);
/* Waits until everything has been printed. False with an error. */
bool session_flush(Session *session, GError **error);
/* After that, with keep_qemu: the terminal becomes QEMU's monitor, until the user quits QEMU there. False with an
 * error. */
bool session_stay(Session *session, GError **error);
/* Stops everything that was started and removes everything temporary. */
void session_free(Session *session);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Session, session_free)

#endif
