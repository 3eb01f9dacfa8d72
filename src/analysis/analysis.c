/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of analyses, and what all of them share: see analysis.h. */
#include "analysis.h"

#include <string.h>

#include "../base/error.h"
#include "../base/options.h"
#include "groups.h"
#include "cache.h"
#include "heatmap.h"
#include "loaded.h"
#include "mrc.h"
#include "sharing.h"
#include "reuse.h"
#include "stat.h"
#include "sweep.h"
#include "tlb.h"
#include "wss.h"

static const AnalysisType *const types[] = {
    &cache_analysis, &heatmap_analysis, &mrc_analysis, &reuse_analysis, &sharing_analysis,
    &stat_analysis,  &sweep_analysis,   &tlb_analysis, &wss_analysis,   NULL
};

struct AnalysisRequest {
    const AnalysisType *type;
    LoadedAnalysis *loaded; /* the type is its; or NULL */
    void *options;
    char *by; /* --by */
};

struct Analysis {
    const AnalysisType *type;
    void *state;
    Groups *groups; /* or NULL */
};

const AnalysisType *analysis_find_type(const char *name)
{
    for (guint i = 0; types[i]; i++)
        if (!strcmp(types[i]->name, name))
            return types[i];
    return NULL;
}

/* Requests. */

AnalysisRequest *analysis_request_new(const AnalysisType *type)
{
    AnalysisRequest *request = g_new0(AnalysisRequest, 1);

    request->type = type;
    request->options = type->options_bytes ? g_memdup2(type->defaults, type->options_bytes) : NULL;
    return request;
}

void analysis_request_free(AnalysisRequest *request)
{
    const AnalysisOption *option = request ? request->type->options : NULL;

    if (!request)
        return;
    for (; option && option->name; option++)
        if (option->kind == G_OPTION_ARG_STRING)
            g_free(*(char **)((char *)request->options + option->offset));
    g_free(request->options);
    g_free(request->by);
    loaded_analysis_free(request->loaded);
    g_free(request);
}

GroupBy analysis_request_group(const AnalysisRequest *request)
{
    GroupBy by;

    return groups_parse(request->by, &by, NULL) ? by : GROUP_BY_NOTHING;
}

unsigned analysis_request_columns(const AnalysisRequest *request)
{
    unsigned own = request->type->columns_for ? request->type->columns_for(request->options) : request->type->columns;

    return own | groups_columns(analysis_request_group(request));
}

const char *analysis_request_output(const AnalysisRequest *request)
{
    for (const AnalysisOption *option = request->type->options; option && option->name; option++)
        if (!strcmp(option->name, "output"))
            return *(char **)((char *)request->options + option->offset);
    return NULL;
}

void *analysis_request_options(AnalysisRequest *request)
{
    return request->options;
}

GOptionEntry *analysis_request_entries(AnalysisRequest *request)
{
    const AnalysisOption *option = request->type->options;
    GArray *entries = g_array_new(TRUE, TRUE, sizeof(GOptionEntry));
    const GOptionEntry by = {
        "by",
        0,
        0,
        G_OPTION_ARG_STRING,
        &request->by,
        "Tell it of each group, too: process, thread, function, line (of the source), file (of the code), object (what "
        "is accessed) or region (which kind of memory)",
        "WHAT"
    };

    for (; option && option->name; option++) {
        GOptionEntry entry = { .long_name = option->name,
                               .arg = option->kind,
                               .arg_data = (char *)request->options + option->offset,
                               .description = option->help,
                               .arg_description = option->argument };

        g_array_append_val(entries, entry);
    }
    g_array_append_val(entries, by);
    return (GOptionEntry *)g_array_free(entries, FALSE);
}

/* Whether an option begins with this word, and not only the rest of another one's value. */
static bool begins_option(const AnalysisType *type, const char *word)
{
    const AnalysisOption *option = type->options;
    g_autofree char *name = g_strdelimit(g_strdup(word), "_", '-');

    if (strchr(word, '='))
        return true;
    for (; option && option->name; option++)
        if (!strcmp(option->name, name))
            return true;
    return false;
}

/* "top=20,l2=1M,16,classify", as --top=20 --l2=1M,16 --classify would be. */
static bool parse_options(AnalysisRequest *request, const char *text, GError **error)
{
    g_auto(GStrv) words = g_strsplit(text, ",", -1);
    g_autofree GOptionEntry *entries = analysis_request_entries(request);
    g_autoptr(GPtrArray) arguments = g_ptr_array_new_with_free_func(g_free);
    g_autofree char **argv = NULL;
    g_autoptr(GError) problem = NULL;
    int argc;

    g_ptr_array_add(arguments, g_strdup(request->type->name));
    for (char **word = words; *word; word++) {
        char *last = arguments->pdata[arguments->len - 1];

        if (!**word)
            continue;
        if (strchr(last, '=') && !begins_option(request->type, *word)) {
            arguments->pdata[arguments->len - 1] = g_strconcat(last, ",", *word, NULL);
            g_free(last);
        } else {
            g_ptr_array_add(arguments, g_strconcat("--", *word, NULL));
        }
    }
    g_ptr_array_add(arguments, NULL);
    argv = g_memdup2(arguments->pdata, arguments->len * sizeof *argv);
    argc = (int)arguments->len - 1;
    return options_parse(&argc, &argv, entries, "", NULL, NULL, false, &problem) ||
           mt_fail_usage(error, "%s: %s", request->type->name, problem->message);
}

AnalysisRequest *analysis_request_parse(const char *word, GError **error)
{
    size_t length = strcspn(word, ":=");
    g_autofree char *first = g_strndup(word, length);
    const AnalysisType *type = analysis_find_type(first);
    bool is_path = !type && strchr(word, '/'); /* an option's value may be a path, too */
    g_autofree char *name = is_path ? g_strdup(word) : g_steal_pointer(&first);
    /* "heatmap=FILE" is "heatmap:output=FILE" */
    g_autofree char *text = word[length] == '=' ? g_strconcat("output", word + length, NULL)
                                                : g_strdup(word[length] ? word + length + 1 : "");
    LoadedAnalysis *loaded = is_path ? loaded_analysis_open(word, error) : NULL;
    g_autoptr(AnalysisRequest) request = NULL;
    GroupBy by;

    if (is_path && !loaded)
        return NULL;
    if (!is_path && !type) {
        mt_fail_usage(error, "there is no analysis '%s' (a shared object's path has a slash: ./%s)", name, name);
        return NULL;
    }
    request = analysis_request_new(loaded ? loaded_analysis_type(loaded) : type);
    request->loaded = loaded;
    if (!is_path && *text && (!parse_options(request, text, error) || !groups_parse(request->by, &by, error)))
        return NULL;
    return g_steal_pointer(&request);
}

AnalysisDivision analysis_divide_by_sets(uint64_t sets, unsigned most)
{
    unsigned parts = 1;

    while (2 * parts <= most && sets % (2 * parts) == 0)
        parts *= 2;
    return (AnalysisDivision){ .split = ANALYSIS_BY_KEY,
                               .why_not = parts == 1 && most > 1 ? "its sets are too few" : NULL,
                               .parts = parts };
}

AnalysisDivision analysis_request_divide(const AnalysisRequest *request, unsigned jobs)
{
    if (request->by)
        return (AnalysisDivision){ .why_not = "groups (--by) are counted in one pass" };
    if (!request->type->divide)
        return (AnalysisDivision){ .why_not = "each access depends on all those before" };
    return request->type->divide(request->options, jobs);
}

/* At work. */

Analysis *analysis_new(const AnalysisRequest *request, const Context *context, GError **error)
{
    g_autoptr(Analysis) analysis = NULL;
    GroupBy by;
    void *state;

    if (!groups_parse(request->by, &by, error) ||
        !(state = request->type->begin(request->type, request->options, context, error)))
        return NULL;
    analysis = g_new0(Analysis, 1);
    analysis->type = request->type;
    analysis->state = state;
    if (by && !(analysis->groups = groups_new(by, request->type, request->options, context, error)))
        return NULL;
    return g_steal_pointer(&analysis);
}

void analysis_free(Analysis *analysis)
{
    if (!analysis)
        return;
    groups_free(analysis->groups);
    analysis->type->end(analysis->state);
    g_free(analysis);
}

bool analysis_add(Analysis *analysis, const struct mt_batch *batch, GError **error)
{
    if (analysis->groups)
        return groups_add(analysis->groups, analysis->state, batch, error);
    return analysis->type->add(analysis->state, batch, error);
}

bool analysis_finish(Analysis *analysis, GError **error)
{
    return !analysis->type->finish || analysis->type->finish(analysis->state, error);
}

void analysis_describe(Analysis *analysis, Report *report)
{
    analysis->type->describe(analysis->state, report);
    if (analysis->groups)
        groups_describe(analysis->groups, analysis->state, report);
}

void analysis_take_part(Analysis *analysis, const AnalysisPart *part)
{
    if (analysis->type->take_part)
        analysis->type->take_part(analysis->state, part);
}

void analysis_begin_thin(Analysis *analysis)
{
    analysis->type->begin_thin(analysis->state);
}

size_t analysis_thin(Analysis *analysis, const struct mt_batch *batch, uint32_t *kept)
{
    return analysis->type->thin(analysis->state, batch, kept);
}

bool analysis_merge(Analysis *analysis, Analysis *next, GError **error)
{
    return analysis->type->merge(analysis->state, next->state, error);
}

const char *analysis_name(const Analysis *analysis)
{
    return analysis->type->name;
}
