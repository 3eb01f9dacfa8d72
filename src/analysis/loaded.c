/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Analyses in shared objects: see loaded.h. */
#include "loaded.h"

#include <dlfcn.h>
#include <string.h>

#include "../../include/memory_tracer/analysis.h"
#include "../base/error.h"

#define VARIABLE "memory_tracer_analysis"

struct LoadedAnalysis {
    AnalysisType type; /* the first member: begin() gets its address, and so finds the rest */
    const struct mt_analysis *analysis;
    void *object;
};

typedef struct {
    const struct mt_analysis *analysis;
    void *state;
} State;

/* The report that the loaded analysis gets, and the Report that it writes to. */
typedef struct {
    struct mt_report theirs;
    Report *ours;
} Adapter;

static void count(struct mt_report *report, const char *name, uint64_t value)
{
    report_add_count(((Adapter *)report)->ours, name, name, value);
}

static void share(struct mt_report *report, const char *name, uint64_t value, uint64_t total)
{
    report_add_share(((Adapter *)report)->ours, name, name, value, total);
}

static void real(struct mt_report *report, const char *name, double value)
{
    report_add_real(((Adapter *)report)->ours, name, name, value, 3);
}

static void text(struct mt_report *report, const char *name, const char *value)
{
    report_add_text(((Adapter *)report)->ours, name, name, value);
}

static void fail(GError **error, const struct mt_analysis *analysis, struct mt_error *problem)
{
    problem->message[sizeof problem->message - 1] = 0;
    mt_fail(error, "%s: %s", analysis->name,
            *problem->message ? problem->message : "it has failed and doesn't say why");
}

static void *begin(const AnalysisType *type, const void *options, const Context *context, GError **error)
{
    const LoadedAnalysis *loaded = (const LoadedAnalysis *)type;
    struct mt_error problem = { "" };
    void *state = loaded->analysis->begin(&problem);
    State *whole;

    (void)options;
    (void)context;
    if (!state) {
        fail(error, loaded->analysis, &problem);
        return NULL;
    }
    whole = g_new0(State, 1);
    whole->analysis = loaded->analysis;
    whole->state = state;
    return whole;
}

static bool add(void *data, const struct mt_batch *batch, GError **error)
{
    State *state = data;
    struct mt_error problem = { "" };

    if (state->analysis->add(state->state, batch, &problem))
        return true;
    fail(error, state->analysis, &problem);
    return false;
}

static void describe(void *data, Report *report)
{
    State *state = data;
    Adapter adapter = { .theirs = { .count = count, .share = share, .real = real, .text = text }, .ours = report };

    state->analysis->describe(state->state, &adapter.theirs);
}

static void end(void *data)
{
    State *state = data;

    state->analysis->end(state->state);
    g_free(state);
}

static bool is_name(const char *name)
{
    return name && *name && strspn(name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_") == strlen(name);
}

static bool check(const struct mt_analysis *analysis, const char *path, GError **error)
{
    if (!analysis)
        return mt_fail(error, "%s is not an analysis: it doesn't export " VARIABLE " (memory_tracer/analysis.h)", path);
    if (analysis->abi != MT_ANALYSIS_ABI)
        return mt_fail(error, "%s is made for another memory_tracer (ABI %u; this one has %d): compile it again", path,
                       analysis->abi, MT_ANALYSIS_ABI);
    if (!is_name(analysis->name))
        return mt_fail(error, "%s: an analysis's name must be of letters, digits and _", path);
    return (analysis->begin && analysis->add && analysis->describe && analysis->end) ||
           mt_fail(error, "%s: an analysis must have begin, add, describe and end", path);
}

LoadedAnalysis *loaded_analysis_open(const char *path, GError **error)
{
    g_autofree char *absolute = g_canonicalize_filename(path, NULL);
    void *object = dlopen(absolute, RTLD_NOW | RTLD_LOCAL);
    const struct mt_analysis *analysis = object ? dlsym(object, VARIABLE) : NULL;
    LoadedAnalysis *loaded;

    if (!object) {
        mt_fail(error, "can't load the analysis: %s", dlerror());
        return NULL;
    }
    if (!check(analysis, path, error)) {
        dlclose(object);
        return NULL;
    }
    loaded = g_new0(LoadedAnalysis, 1);
    loaded->type =
        (AnalysisType){ .name = analysis->name,
                        .summary = analysis->summary,
                        .columns = (analysis->columns & (MT_COLUMN_ALL | MT_COLUMN_PAGE_SIZE)) | MT_COLUMN_INFO,
                        .begin = begin,
                        .add = add,
                        .describe = describe,
                        .end = end };
    loaded->analysis = analysis;
    loaded->object = object;
    return loaded;
}

const AnalysisType *loaded_analysis_type(const LoadedAnalysis *loaded)
{
    return &loaded->type;
}

void loaded_analysis_free(LoadedAnalysis *loaded)
{
    if (!loaded)
        return;
    dlclose(loaded->object);
    g_free(loaded);
}
