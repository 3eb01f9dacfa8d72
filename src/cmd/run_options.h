/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options of every verb that runs a workload: what is captured, and how the guest runs. */
#ifndef MEMORY_TRACER_CMD_RUN_OPTIONS_H
#define MEMORY_TRACER_CMD_RUN_OPTIONS_H

#include <glib.h>
#include <stdbool.h>

#include "../run/session.h"

/* As GOption leaves them. */
typedef struct RunOptions {
    int log_block_len, log_tracing_ratio, timeout_s, wait_timeout_s;
    char *sample_seed, *when_full, *record_format, *folder;
    gboolean roi, strict_order, icount, verbose;
} RunOptions;

#define RUN_OPTIONS_INIT                                                                                               \
    {                                                                                                                  \
        .wait_timeout_s = SESSION_DEFAULT_WAIT_TIMEOUT_S                                                               \
    }

/* The table for options_parse(): `own` (ended by a NULL name), then those of `options`. To be freed. */
GOptionEntry *run_options_entries(RunOptions *options, const GOptionEntry *own);
/* Checks the options and applies them to `session`. The strings stay `options`' own. False with an error. */
bool run_options_apply(const RunOptions *options, SessionOptions *session, GError **error);
void run_options_clear(RunOptions *options);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(RunOptions, run_options_clear)

/* Parses --fields of a trace file: a comma-separated list, or NULL for the default. Sets *fields to enum mt_fields.
 * False with a usage error. */
bool run_options_parse_fields(const char *list, unsigned *fields, GError **error);
#define RUN_OPTIONS_FIELDS_HELP                                                                                        \
    "What the trace file tells of each access beside the usual: paddr, value, time, or all (default: pc and task; "    \
    "no-task leaves that out)"

/* The warnings that a result calls for: records lost, nothing traced, timed out. To be freed. */
GStrv run_options_warnings(const SessionOptions *session, const SessionResult *result);
/* Appends them to `text`, as lines. */
void run_options_append_warnings(GString *text, const SessionOptions *session, const SessionResult *result);

#endif
