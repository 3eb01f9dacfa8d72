/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A line on the terminal that tells how many records a verb has done so far, if it takes longer than two seconds. */
#ifndef MEMORY_TRACER_BASE_PROGRESS_H
#define MEMORY_TRACER_BASE_PROGRESS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define PROGRESS_UNKNOWN UINT64_MAX

typedef struct Progress {
    uint64_t total; /* records; PROGRESS_UNKNOWN if that isn't known */
    uint64_t done;
    bool enabled, shown;
    gint64 began_us, next_us;
} Progress;

/* `to_stdout`: the verb's results go to standard output; if that is a terminal, too, no progress is shown. */
void progress_begin(Progress *progress, uint64_t total, bool to_stdout);
/* So many more records are done. */
void progress_add(Progress *progress, uint64_t count);
/* Removes the line. To be called before anything else is printed. */
void progress_end(Progress *progress);

/* The text of the line. To be freed. */
char *progress_text(uint64_t done, uint64_t total, gint64 elapsed_us);

#endif
