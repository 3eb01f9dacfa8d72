/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Analyses: what is made of records. Each is one file and one line of the table in analysis.c. It is given batches of
 * columns and doesn't know where they come from, a file, a stream or a live run, and it describes its result as data
 * (report.h), so that it doesn't know either whether that becomes text, JSON or CSV.
 */
#ifndef MEMORY_TRACER_ANALYSIS_ANALYSIS_H
#define MEMORY_TRACER_ANALYSIS_ANALYSIS_H

#include <glib.h>
#include <stdbool.h>

#include "../../include/memory_tracer/trace.h"
#include "../context/context.h"
#include "../report/report.h"

/* An option of an analysis: a member of its struct of options. */
typedef struct AnalysisOption {
    const char *name;
    GOptionArg kind; /* G_OPTION_ARG_INT (int), _NONE (gboolean) or _STRING (char *) */
    size_t offset;
    const char *help, *argument;
} AnalysisOption;

typedef struct AnalysisType AnalysisType;
struct AnalysisType {
    const char *name, *summary;
    unsigned columns;              /* of enum mt_columns: what it reads. Others may be NULL */
    const AnalysisOption *options; /* up to one without a name; or NULL */
    const void *defaults;          /* a struct of options, of this size */
    size_t options_bytes;
    unsigned (*columns_for)(const void *options); /* fewer, with these; or NULL */

    /* `options` and `context` stay until the end. NULL on failure. */
    void *(*begin)(const AnalysisType *type, const void *options, const Context *context, GError **error);
    /* The records come in the order of the trace. */
    bool (*add)(void *state, const struct mt_batch *batch, GError **error);
    /* What has come of it so far. Between batches, in the thread that adds them. */
    void (*describe)(void *state, Report *report);
    /* Once, behind the last record: writes the files that it was asked for; or NULL. Not of groups. */
    bool (*finish)(void *state, GError **error);
    void (*end)(void *state);

    /* For tables of groups (groups.h), whose options are then these: columns of counts, up to one without a name, and
     * their values. NULL: a group's results are told as those of all records are. */
    const ReportColumn *figures;
    const void *figure_options;
    void (*measure)(void *state, uint64_t *values);
};

/* The types that are built in, up to NULL, and one by its name, or NULL. */
const AnalysisType *const *analysis_types(void);
const AnalysisType *analysis_find_type(const char *name);

/* What somebody has asked for: a type and its options, from words like "stat", "stat:top=20,by=process" and
 * "heatmap=FILE", which is "heatmap:output=FILE". Any other word with a
 * slash is the path of a shared object (memory_tracer/analysis.h). NULL on failure. */
typedef struct AnalysisRequest AnalysisRequest;
AnalysisRequest *analysis_request_parse(const char *word, GError **error);
/* The same of a type, with default options. */
AnalysisRequest *analysis_request_new(const AnalysisType *type);
void analysis_request_free(AnalysisRequest *request);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AnalysisRequest, analysis_request_free)
const AnalysisType *analysis_request_type(const AnalysisRequest *request);
/* Of enum mt_columns: what it reads, with its options. */
unsigned analysis_request_columns(const AnalysisRequest *request);
/* Its options, to be set by others. */
void *analysis_request_options(AnalysisRequest *request);
/* Its options, and --by, as a table for options_parse(), up to one without a name. To be freed. */
GOptionEntry *analysis_request_entries(AnalysisRequest *request);

/* An analysis at work. The request and the context must stay until it is freed. NULL on failure. */
typedef struct Analysis Analysis;
Analysis *analysis_new(const AnalysisRequest *request, const Context *context, GError **error);
void analysis_free(Analysis *analysis);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Analysis, analysis_free)
bool analysis_add(Analysis *analysis, const struct mt_batch *batch, GError **error);
/* Behind the last record. */
bool analysis_finish(Analysis *analysis, GError **error);
void analysis_describe(Analysis *analysis, Report *report);
const char *analysis_name(const Analysis *analysis);

#endif
