/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Analyses of your own, as shared objects: memory_tracer loads them and gives them the records of a file, a stream or a
 * live run (memory_tracer analyze --load ./mine.so FILE, memory_tracer run --analyze ./mine.so -- COMMAND).
 *
 *     cc -shared -fPIC -o mine.so mine.c $(pkg-config --cflags libmemory_tracer)
 *
 * The object exports one variable: const struct mt_analysis memory_tracer_analysis. examples/analysis.c is one.
 *
 * EXPERIMENTAL: until version 1.0 this may change. MT_ANALYSIS_ABI changes with it, and an object made for another one
 * is refused.
 */
#ifndef MEMORY_TRACER_ANALYSIS_H
#define MEMORY_TRACER_ANALYSIS_H

#include "trace.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MT_ANALYSIS_ABI 1

/* Takes the results. It belongs to memory_tracer; later versions append members. A name becomes a member of the JSON
 * and a name in the CSV: letters, digits and _. Strings are copied. */
struct mt_report {
    void (*count)(struct mt_report *report, const char *name, uint64_t value);
    /* A count that is a part of `total`. */
    void (*share)(struct mt_report *report, const char *name, uint64_t value, uint64_t total);
    void (*real)(struct mt_report *report, const char *name, double value);
    void (*text)(struct mt_report *report, const char *name, const char *value);
};

struct mt_analysis {
    unsigned abi;     /* MT_ANALYSIS_ABI */
    unsigned columns; /* the columns that it reads (enum mt_columns). Those that the trace lacks are NULL in a batch */
    const char *name; /* for its part of the results: letters, digits and _ */
    const char *summary;
    /* Returns the state of one analysis, which is passed to the functions below; NULL, with an error, on failure. */
    void *(*begin)(struct mt_error *error);
    /* Takes the next records, which are of one vCPU, in the order of the trace. The batch is valid during the call.
     * False, with an error, ends the analysis. */
    bool (*add)(void *state, const struct mt_batch *batch, struct mt_error *error);
    /* Adds the results so far to `report`. Called at the end, and possibly before. */
    void (*describe)(void *state, struct mt_report *report);
    /* Frees the state. */
    void (*end)(void *state);
};

#ifdef __cplusplus
}
#endif

#endif
