/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the verbs that read traces share: opening a trace, and reading its selected records. */
#ifndef MEMORY_TRACER_SOURCE_INPUT_H
#define MEMORY_TRACER_SOURCE_INPUT_H

#include <glib.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>

#include "../../include/memory_tracer/trace.h"
#include "../base/progress.h"
#include "batch_copy.h"
#include "object_selection.h"
#include "selection.h"
#include "task_selection.h"

typedef struct NamedCode NamedCode; /* named_parts.h */

typedef struct Input {
    char *path;
    bool is_part;        /* of what is selected: input_open_part() */
    bool selects_events; /* not all of the trace's */
    mt_trace *trace;
    bool has_others_trace;
    mt_reader *reader;
    Range events;
    GArray *addresses; /* Range, of which one must be touched; NULL: all addresses */
    NamedCode *code;   /* the code that is wanted; NULL: all */
    uint32_t memory;   /* the memory of the records that are being selected; 0: unknown */
    int cpl, vcpu;
    bool found_vcpu; /* the wanted one has records */
    bool loads, stores;
    TaskSelection *tasks;     /* NULL: all */
    ObjectSelection *objects; /* NULL: all */
    uint64_t stream_records;  /* how many a stream has at most, for the progress; UINT64_MAX: unknown */
    Progress *progress;       /* `own_progress`, or one that several inputs share */
    Progress own_progress;
    GMutex *progress_lock;            /* guards a progress that several threads share; or NULL */
    uint64_t untold;                  /* records that aren't in it yet */
    uint64_t (*claim)(void *claimer); /* input_set_claim(); or NULL */
    void *claimer;
    const struct mt_batch *batch; /* the current batch of the trace */
    uint32_t *selected;           /* indexes of its wanted records */
    size_t count;                 /* how many these are */
    size_t room;
    BatchCopy *wanted; /* what input_next_batch() returns */
} Input;

/* Opens the trace `path` for reading `columns` (enum mt_columns) of the selected records; the caller frees it by
 * input_free(). NULL with an error if it can't be read, or if the selection makes no sense for it. Warns on stderr if
 * the trace is incomplete. */
Input *input_open(const char *path, const Selection *selection, unsigned columns, GError **error);
void input_free(Input *input);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Input, input_free)

/* The same for one of several readers of one trace file, of the records `events` of those that are selected. `whole` is
 * an input of the same path, which has told what there is to tell about the trace; its trace is used, and it must stay.
 * May be called by several threads at once. Shows no progress unless input_share_progress() is called. */
Input *input_open_part(const Input *whole, const char *path, const Selection *selection, unsigned columns, Range events,
                       GError **error);
/* Adds to one line what several threads have read. `lock` guards it. Both must stay until the input is freed. Whoever
 * has the progress ends it. */
void input_share_progress(Input *input, Progress *progress, GMutex *lock);
/* Lets several readers of a trace file divide it while they read: before the input reads beyond the end of its records,
 * it asks for a later one. If claim() returns the same again, it stays. */
void input_set_claim(Input *input, uint64_t (*claim)(void *claimer), void *claimer);
/* Goes on with these records, which may come before those that were read last. False with an error. */
bool input_restart(Input *input, Range events, GError **error);
/* When several readers (Input) have read all parts: fails, as the only reader of a trace does at its end, if an object
 * or region was asked for that nothing is. (If other records may be of it that aren't selected, that is a note.) */
bool input_check_found(const GPtrArray *inputs, GError **error);
/* The index behind the last record of a trace; UINT64_MAX if it isn't known (streams). More than there are records if a
 * file of several vCPUs wasn't written to its end: then indexes are missing in between. */
uint64_t input_end_of_trace(const mt_trace *trace);
/* The range of indexes that --events selects, cut to the trace. Not for streams. */
Range input_events(const Input *input);
/* Whether --events is the only selection. */
bool input_selects_by_index(const Input *input);

/* Goes on to the next batch that has a wanted record. Returns 1; 0 at the end; -1 with an error. Shows progress on a
 * terminal if reading takes long. */
int input_next(Input *input, GError **error);

/* The same, but returns a batch of the wanted records only, which need not be neighbours in the trace. It belongs to
 * the input, and is valid until the next call. NULL at the end, and with an error. */
const struct mt_batch *input_next_batch(Input *input, GError **error);

/* Says that the verb's output goes to stdout while it reads: no progress is shown if that is a terminal. */
void input_set_to_stdout(Input *input);

/* Whether the whole trace is selected. */
bool input_is_whole(const Input *input);

/* mt_trace_open() with a GError. The caller closes the trace by mt_trace_close(). */
mt_trace *input_open_trace(const char *path, enum mt_format format, GError **error);
/* The metadata of a trace as one object, which the caller unreferences. */
JsonObject *input_metadata(const mt_trace *trace);
/* How many records a trace file had when it was written, even if it was cut since; 0 for a stream. Sets *exact to false
 * if there may have been more. */
uint64_t input_known_records(const mt_trace *trace, JsonObject *metadata, bool *exact);
/* The member `name` of the metadata, if that is a whole number; else `otherwise`. */
uint64_t input_metadata_number(JsonObject *metadata, const char *name, uint64_t otherwise);

#endif
