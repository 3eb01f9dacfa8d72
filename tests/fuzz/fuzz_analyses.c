/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libFuzzer's entry: goes through its input with every analysis, and describes the results. tests/fuzz/run builds and
 * runs it. Hashes are not checked in this build, else nothing would get past them.
 */
#define _GNU_SOURCE
#include <string.h>

#include "../../src/analysis/pump.h"
#include "../../src/context/context.h"
#include "../../src/report/report.h"
#include "input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const analyses[] = { "stat",
                                        "cache:l1d=2K,2,l2=8K,4,l3=none",
                                        "cache:l1d=2K,2,l2=none,l3=none,policy=srrip,prefetch=stride",
                                        "cache:l1d=2K,2,l2=8K,4,l3=none,physical,classify,lines",
                                        "sweep:sizes=1K..8K,ways=1..4",
                                        "tlb",
                                        "mrc:split=cpl",
                                        "mrc:rate=0.1",
                                        "wss:window=100",
                                        "heatmap",
                                        "sharing",
                                        "sharing:between=process",
                                        "reuse" };

static void free_request(gpointer request)
{
    analysis_request_free(request);
}

static void analyze(const char *analysis, const char *group, mt_trace *trace, const Context *context)
{
    g_autoptr(GPtrArray) requests = g_ptr_array_new_with_free_func(free_request);
    g_autofree char *word =
        group ? g_strdup_printf("%s%cby=%s", analysis, strchr(analysis, ':') ? ',' : ':', group) : g_strdup(analysis);
    g_autoptr(GError) error = NULL;
    g_autoptr(Report) report = report_new();
    g_autoptr(Pump) pump = NULL;
    g_autofree char *text = NULL;
    const struct mt_batch *batch;
    struct mt_error problem;
    mt_reader *reader;

    g_ptr_array_add(requests, analysis_request_parse(word, &error));
    if (error)
        g_error("%s: %s", word, error->message);
    pump = pump_new(requests, context, &error);
    if (!pump)
        return; /* it needs what the trace hasn't got */
    reader = mt_reader_new(trace, pump_columns(requests), &problem);
    while (reader && (batch = mt_reader_next(reader, &problem)))
        if (!pump_add(pump, batch, &error))
            break;
    mt_reader_free(reader);
    pump_describe(pump, report, true);
    text = report_as_json(report, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mt_error error;
    mt_trace *trace = mt_trace_open_fd(input_fd(data, size), "input", MT_FORMAT_AUTO, &error);
    Context *context;

    if (!trace)
        return 0;
    if (mt_trace_format(trace) == MT_FORMAT_FILE) {
        context = context_new(trace);
        for (guint i = 0; i < G_N_ELEMENTS(analyses); i++)
            analyze(analyses[i], NULL, trace, context);
        analyze("stat", "process", trace, context);
        analyze("stat", "function", trace, context);
        analyze("cache:l1d=2K,2,l2=none,l3=none", "object", trace, context);
        context_free(context);
    }
    mt_trace_close(trace);
    return 0;
}
