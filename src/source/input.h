/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the verbs that read traces share: opening one, and reading those of its records that are selected. */
#ifndef MEMORY_TRACER_SOURCE_INPUT_H
#define MEMORY_TRACER_SOURCE_INPUT_H

#include <glib.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>

#include "../../include/memory_tracer/trace.h"
#include "../base/progress.h"
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
    GArray *addresses; /* Range: any of them; NULL: all */
    NamedCode *code;   /* which is wanted; NULL: all */
    uint32_t memory;   /* of what is being selected; 0: unknown */
    int cpl, vcpu;
    bool loads, stores;
    TaskSelection *tasks;     /* NULL: all */
    ObjectSelection *objects; /* NULL: all */
    uint64_t stream_records;  /* how many a stream has at most, for the progress; UINT64_MAX: nobody knows */
    Progress *progress;       /* `own_progress`, or one that several inputs share */
    Progress own_progress;
    GMutex *progress_lock;        /* of one that several threads share; or NULL */
    const struct mt_batch *batch; /* the current one */
    uint32_t *selected;           /* which of its records are wanted */
    size_t count;                 /* how many */
    size_t room;
    struct mt_batch wanted; /* what input_next_batch() gives, and its columns: */
    uint64_t *wanted_index, *wanted_address, *wanted_paddr;
    uint8_t *wanted_info, *wanted_page_size;
    uint32_t *wanted_instruction;
    struct mt_value *wanted_value;
    bool *wanted_value_unknown;
    GArray *wanted_task; /* struct mt_event */
} Input;

/* Opens `path` for reading `columns`, of those that are selected. */
Input *input_open(const char *path, const Selection *selection, unsigned columns, GError **error);
void input_free(Input *input);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Input, input_free)

/* The same for one of several readers of one trace file, of the records `events` of those that are selected. `whole` is
 * an input of the same path, which has told what there is to tell about the trace; its trace is used, and it must stay.
 * May be called by several threads at once. Shows no progress unless input_share_progress() is called. */
Input *input_open_part(const Input *whole, const char *path, const Selection *selection, unsigned columns, Range events,
                       GError **error);
/* Adds to one line what several threads have read. `lock` guards it. Both must stay until the input is freed. */
void input_share_progress(Input *input, Progress *progress, GMutex *lock);
/* When several readers (Input) have read all parts: fails, as the only reader of a trace does at its end, if an object
 * or region was asked for that nothing is. (If other records may be of it that aren't selected, that is a note.) */
bool input_check_found(const GPtrArray *inputs, GError **error);
/* The records that the selection leaves by their index alone. Not of streams. */
Range input_events(const Input *input);
/* Whether --events is the only selection. */
bool input_selects_by_index(const Input *input);

/* Goes on to the next batch that has something wanted. Returns 1, 0 at the end, -1 with an error. Shows progress on a
 * terminal, if it takes long. */
int input_next(Input *input, GError **error);

/* The same as a batch of what is wanted alone, valid until the next call; its records needn't follow each other in the
 * trace. NULL at the end, and with an error. */
const struct mt_batch *input_next_batch(Input *input, GError **error);

/* What is made of the records goes to standard output: then no progress is shown where they are. */
void input_set_to_stdout(Input *input);

/* Whether all of its records are wanted. */
bool input_is_whole(const Input *input);

/* Opens a trace, with a GError. */
mt_trace *input_open_trace(const char *path, enum mt_format format, GError **error);
/* The metadata of a trace, as one object, to be unreferenced. */
JsonObject *input_metadata(const mt_trace *trace);
/* How many records a trace file had at least when it was written; *exact: and no more. 0 for a stream. */
uint64_t input_known_records(const mt_trace *trace, JsonObject *metadata, bool *exact);
/* A number of it, or `otherwise`. */
uint64_t input_metadata_number(JsonObject *metadata, const char *name, uint64_t otherwise);

#endif
