/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Analyses of records. Each is one file and one line of the table in analysis.c. An analysis gets batches of columns,
 * and doesn't know whether they come from a file, a stream or a live run. It describes its result as data (report.h),
 * and doesn't know whether that becomes text, JSON or CSV.
 */
#ifndef MEMORY_TRACER_ANALYSIS_ANALYSIS_H
#define MEMORY_TRACER_ANALYSIS_ANALYSIS_H

#include <glib.h>
#include <stdbool.h>

#include "../../include/memory_tracer/trace.h"
#include "../context/context.h"
#include "../report/report.h"
#include "group_finder.h"

/* An option of an analysis: a member of its struct of options. */
typedef struct AnalysisOption {
    const char *name;
    GOptionArg kind; /* G_OPTION_ARG_INT (int), _NONE (gboolean) or _STRING (char *) */
    size_t offset;
    const char *help, *argument;
} AnalysisOption;

/* How several states can share the work so that their merged results are exactly those of one state. */
typedef enum AnalysisSplit {
    ANALYSIS_WHOLE,   /* they can't */
    ANALYSIS_BY_TIME, /* each gets the records of a stretch of the trace */
    ANALYSIS_IN_TURN, /* the same, but stretches are short, and put together as soon as those before are; or else, where
                         that isn't quick, or records are missing, by key */
    ANALYSIS_BY_KEY,  /* each gets all records, and handles the sets or lines that are its own */
} AnalysisSplit;

typedef struct AnalysisDivision {
    AnalysisSplit split;
    const char *why_not; /* why there is one part only, unless that is as it should be, for a sentence with "because" */
    /* ANALYSIS_BY_KEY, and for ANALYSIS_IN_TURN where it can't be: */
    unsigned parts; /* how many, at most as many jobs as were asked for (0: one); others decode */
    bool thins;     /* records may be left out: see begin_thin() */
    /* ANALYSIS_BY_TIME: */
    bool counts_records; /* a part must know how many records come before its own */
    /* ANALYSIS_BY_TIME: the number of records before a part must be a multiple of this. ANALYSIS_IN_TURN: a stretch has
     * the records whose indexes in the trace give the same quotient by it, times the number of vCPUs. 0: any. */
    uint64_t step;
} AnalysisDivision;

/* The part of the work that a state has. */
typedef struct AnalysisPart {
    unsigned number; /* from 0 on; but by time, and in turn, all but the first one may have any number but 0 */
    unsigned count;  /* ANALYSIS_BY_KEY: how many there are */
    uint64_t before; /* ANALYSIS_BY_TIME, with counts_records: records before its own */
} AnalysisPart;

/* The division by key of a table whose number of sets is a multiple of `sets`: a part has the keys with the same lowest
 * bits. The number of parts is a power of two, at most `most`. What takes about as long as decoding should have
 * half as many parts as jobs: each part has to look at all records, and the other jobs decode. */
AnalysisDivision analysis_divide_by_sets(uint64_t sets, unsigned most);

/* Whether the part has this key, by the key's lowest bits. A part that is all zeros has all keys. */
static inline bool analysis_part_has(const AnalysisPart *part, uint64_t key)
{
    return !((key ^ part->number) & (part->count ? part->count - 1 : 0));
}

typedef struct AnalysisType AnalysisType;
struct AnalysisType {
    const char *name, *summary;
    unsigned columns;              /* the columns that it reads (enum mt_columns); others may be NULL */
    const AnalysisOption *options; /* ended by one without a name; or NULL */
    const void *defaults;          /* a struct of options, of `options_bytes` */
    size_t options_bytes;
    unsigned (*columns_for)(const void *options); /* the columns that it reads with these options; NULL: `columns` */

    /* Returns the state. `options` and `context` stay valid until end(). NULL with an error. */
    void *(*begin)(const AnalysisType *type, const void *options, const Context *context, GError **error);
    /* Adds records, which come in the order of the trace. False with an error. */
    bool (*add)(void *state, const struct mt_batch *batch, GError **error);
    /* Describes the result so far. Called between batches, in the thread that adds them. */
    void (*describe)(void *state, Report *report);
    /* Writes the files that the options ask for. Called once, behind the last record, and not for groups. May be NULL.
     */
    bool (*finish)(void *state, GError **error);
    void (*end)(void *state);

    /* NULL if the work can't be divided. The functions behind it are NULL, too, if there is only ever one part. */
    AnalysisDivision (*divide)(const void *options, unsigned jobs);
    /* Says which part of the work the state has. Called behind begin(), before any record. May be NULL. */
    void (*take_part)(void *state, const AnalysisPart *part);
    /* If a division may say that it thins; else both NULL. Parts need not look at records that change nothing but
     * counts, as one that touches what its set has touched last. begin_thin() is called for all states, behind
     * take_part(), if that is, and before any record. Then each batch goes to thin() of one state, whichever, in that
     * one's thread: a part's, or one that gets no other records, and is merged, too. It counts all records, writes the
     * numbers of those that parts must look at to `kept`, which has room for all, and returns how many they are. add()
     * of all parts gets only these, and doesn't count them again. A batch for thin() may lie ahead of the next one for
     * add(). */
    void (*begin_thin)(void *state);
    size_t (*thin)(void *state, const struct mt_batch *batch, uint32_t *kept);
    /* Adds what the next part has come to, behind the last record of both; part 0 takes in all others, one by one.
     * `next` is of no use then but for end(). */
    bool (*merge)(void *state, void *next, GError **error);

    /* For tables of groups (groups.h): their columns, which are counts, ended by one without a name, and their values.
     * NULL: a group's results are described as those of all records. */
    const ReportColumn *figures;
    const void *figure_options;
    void (*measure)(void *state, uint64_t *values);
    /* The same in one pass: add_groups() adds the batch as add() does, and also counts the records of each group of the
     * finder (group_finder.h) apart. Behind describe(), the other function returns a group's figures, the first of
     * which is how many records it has. Only with MT_COLUMN_INSTRUCTION. Both NULL: each group has a state of its own,
     * which gets its records alone. */
    bool (*add_groups)(void *state, const struct mt_batch *batch, GroupFinder *finder, GError **error);
    void (*measure_group)(void *state, guint group, uint64_t *values);
};

/* The built-in analysis of this name, or NULL. */
const AnalysisType *analysis_find_type(const char *name);

/* A type and its options, from words like "stat", "stat:top=20,by=process" and "heatmap=FILE", which is
 * "heatmap:output=FILE". Another word with a slash is the path of a shared object (memory_tracer/analysis.h). NULL with
 * an error. */
typedef struct AnalysisRequest AnalysisRequest;
AnalysisRequest *analysis_request_parse(const char *word, GError **error);
/* A request for a type with its default options. */
AnalysisRequest *analysis_request_new(const AnalysisType *type);
void analysis_request_free(AnalysisRequest *request);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AnalysisRequest, analysis_request_free)
/* The columns that it reads with its options (enum mt_columns). */
unsigned analysis_request_columns(const AnalysisRequest *request);
/* By what it is asked for groups. */
GroupBy analysis_request_group(const AnalysisRequest *request);
/* The file that it writes, as its option "output" says; or NULL. */
const char *analysis_request_output(const AnalysisRequest *request);
/* Its struct of options, which the caller may change. */
void *analysis_request_options(AnalysisRequest *request);
/* Its options, and --by, as a table for options_parse(). The caller frees the table before the request. */
GOptionEntry *analysis_request_entries(AnalysisRequest *request);

/* How this many jobs can share the work. */
AnalysisDivision analysis_request_divide(const AnalysisRequest *request, unsigned jobs);

/* An analysis at work. The request and the context must outlive it. NULL with an error. */
typedef struct Analysis Analysis;
Analysis *analysis_new(const AnalysisRequest *request, const Context *context, GError **error);
void analysis_free(Analysis *analysis);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Analysis, analysis_free)
bool analysis_add(Analysis *analysis, const struct mt_batch *batch, GError **error);
/* To be called behind the last record: writes files. False with an error. */
bool analysis_finish(Analysis *analysis, GError **error);
void analysis_describe(Analysis *analysis, Report *report);
/* AnalysisType's functions. Only if analysis_request_divide() allows it. */
void analysis_take_part(Analysis *analysis, const AnalysisPart *part);
void analysis_begin_thin(Analysis *analysis);
size_t analysis_thin(Analysis *analysis, const struct mt_batch *batch, uint32_t *kept);
bool analysis_merge(Analysis *analysis, Analysis *next, GError **error);
const char *analysis_name(const Analysis *analysis);

#endif
