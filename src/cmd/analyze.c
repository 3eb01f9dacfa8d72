/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_tracer analyze, stat and the like: analyses of traces. */
#include <string.h>

#include "../analysis/pump.h"
#include "../base/regular_file.h"
#include "../source/input.h"
#include "cmd.h"
#include "forms.h"
#include "jobs.h"

/* Lets the analyses go through the trace once. */
static bool add_all(Pump *pump, Input *input, GError **error)
{
    g_autoptr(GError) problem = NULL;
    const struct mt_batch *batch;

    while ((batch = input_next_batch(input, &problem)))
        if (!pump_add(pump, batch, error))
            return false;
    if (!problem)
        return true;
    g_propagate_error(error, g_steal_pointer(&problem));
    return false;
}

/* Writes and prints the results. */
static int tell(Pump *pump, bool named, const Forms *forms, GError **error)
{
    g_autoptr(Report) report = report_new();

    if (!pump_finish(pump, error))
        return -1;
    pump_describe(pump, report, named);
    return forms_print(forms, report, error) ? 0 : -1;
}

/* No picture may take the place of the trace that is read. */
static bool check_outputs(GPtrArray *requests, const char *path, GError **error)
{
    for (guint i = 0; i < requests->len; i++) {
        const char *output = analysis_request_output(requests->pdata[i]);

        if (output && !regular_file_check_apart(output, path, error))
            return false;
    }
    return true;
}

static int analyze(GPtrArray *requests, const char *path, const Selection *selection, const Forms *forms, int threads,
                   GError **error)
{
    bool named = requests->len > 1;
    g_autoptr(Input) input = NULL;
    g_autoptr(Context) context = NULL;
    g_autoptr(Pump) pump = NULL;
    g_autoptr(Jobs) jobs = NULL;

    if (threads < 1 || threads > JOBS_MOST) {
        mt_fail_usage(error, "--jobs must be in range [1, %d], but %d isn't.", JOBS_MOST, threads);
        return -1;
    }
    if (!forms_check(forms, error) || !check_outputs(requests, path, error))
        return -1;
    input = input_open(path, selection, pump_columns(requests), error);
    if (!input)
        return -1;
    jobs = threads > 1 ? jobs_new(requests, input, path, selection, (unsigned)threads) : NULL;
    if (jobs) {
        Pump *done = jobs_run(jobs, error);

        return done ? tell(done, named, forms, error) : -1;
    }
    context = context_new(input->trace);
    pump = pump_new(requests, context, error);
    return pump && add_all(pump, input, error) ? tell(pump, named, forms, error) : -1;
}

/* The table for options_parse() of what all analyses of traces have; --jobs goes to `threads`. To be freed. */
static GOptionEntry *make_entries(const GOptionEntry *own, Forms *forms, Selection *selection, int *threads)
{
    const GOptionEntry jobs[] = {
        { "jobs", 'j', 0, G_OPTION_ARG_INT, threads,
          "Let so many threads share the work (default: 1). The result is the same", "N" },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    g_autofree GOptionEntry *with_jobs = options_join(own, jobs);
    g_autofree GOptionEntry *with_forms = forms_entries(forms, with_jobs);

    *threads = 1;
    return selection_entries(selection, with_forms);
}

int cmd_analysis(const AnalysisType *type, int argc, char **argv, GError **error)
{
    g_auto(Selection) selection = SELECTION_INIT;
    g_autoptr(GPtrArray) requests = g_ptr_array_new_with_free_func((GDestroyNotify)analysis_request_free);
    AnalysisRequest *request = analysis_request_new(type);
    g_autofree GOptionEntry *own = analysis_request_entries(request);
    Forms forms = { 0 };
    int threads;
    g_autofree GOptionEntry *entries = make_entries(own, &forms, &selection, &threads);

    g_ptr_array_add(requests, request);
    if (!options_parse(&argc, &argv, entries, "FILE", type->summary, NULL, false, error))
        return -1;
    if (argc != 2) {
        mt_fail_usage(error, "%s: one FILE is needed (see --help)", type->name);
        return -1;
    }
    return analyze(requests, argv[1], &selection, &forms, threads, error);
}

/* Of two pictures in one file, one would be lost. */
static bool check_apart(GPtrArray *requests, const AnalysisRequest *added, GError **error)
{
    const char *output = analysis_request_output(added);

    for (guint i = 0; output && i < requests->len; i++) {
        const char *other = analysis_request_output(requests->pdata[i]);

        if (other && regular_file_is_same(output, other))
            return mt_fail_usage(error, "%s can't be the output of two analyses", output);
    }
    return true;
}

bool cmd_parse_analyses(char **words, GPtrArray *requests, GError **error)
{
    for (; words && *words; words++) {
        g_auto(GStrv) parts = g_strsplit(*words, ";", -1);

        for (char **part = parts; *part; part++) {
            AnalysisRequest *request = **part ? analysis_request_parse(*part, error) : NULL;

            if (!**part)
                continue;
            if (!request || !check_apart(requests, request, error)) {
                analysis_request_free(request);
                return false;
            }
            g_ptr_array_add(requests, request);
        }
    }
    return true;
}

int cmd_analyze(int argc, char **argv, GError **error)
{
    g_auto(Selection) selection = SELECTION_INIT;
    g_autoptr(GPtrArray) requests = g_ptr_array_new_with_free_func((GDestroyNotify)analysis_request_free);
    g_auto(GStrv) words = NULL, objects = NULL;
    const GOptionEntry own[] = {
        { "analyze", 'a', 0, G_OPTION_ARG_STRING_ARRAY, &words,
          "An analysis, with its options: stat:top=20 (may be given several times; several may be separated by ;)",
          "ANALYSIS" },
        { "load", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &objects,
          "An analysis of your own: a shared object (memory_tracer/analysis.h; may be given several times)", "OBJECT" },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    Forms forms = { 0 };
    int threads;
    g_autofree GOptionEntry *entries = make_entries(own, &forms, &selection, &threads);

    if (!options_parse(&argc, &argv, entries, "FILE",
                       "Lets several analyses, or one of your own, go through a trace once.", NULL, false, error))
        return -1;
    for (char **object = objects; object && *object; object++) { /* as dlopen() would want it */
        g_autofree char *path = strchr(*object, '/') ? g_strdup(*object) : g_strconcat("./", *object, NULL);
        AnalysisRequest *request = analysis_request_parse(path, error);

        if (!request)
            return -1;
        g_ptr_array_add(requests, request);
    }
    if (!cmd_parse_analyses(words, requests, error))
        return -1;
    if (argc != 2 || !requests->len) {
        mt_fail_usage(error, "analyze: one FILE is needed, and --analyze or --load (see --help)");
        return -1;
    }
    return analyze(requests, argv[1], &selection, &forms, threads, error);
}
