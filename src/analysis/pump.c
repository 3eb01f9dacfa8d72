/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Several analyses at once: see pump.h. */
#include "pump.h"

#include <time.h>

#define NS_PER_S 1e9

struct Pump {
    GPtrArray *analyses; /* Analysis */
    GArray *cpu_ns;      /* uint64_t: the CPU time of each, if that is measured */
    bool measures;
};

unsigned pump_columns(const GPtrArray *requests)
{
    unsigned columns = 0;

    for (guint i = 0; i < requests->len; i++)
        columns |= analysis_request_columns(requests->pdata[i]);
    return columns;
}

Pump *pump_new(const GPtrArray *requests, const Context *context, GError **error)
{
    g_autoptr(Pump) pump = g_new0(Pump, 1);

    pump->analyses = g_ptr_array_new_with_free_func((GDestroyNotify)analysis_free);
    pump->cpu_ns = g_array_new(FALSE, TRUE, sizeof(uint64_t));
    for (guint i = 0; i < requests->len; i++) {
        Analysis *analysis = analysis_new(requests->pdata[i], context, error);

        if (!analysis)
            return NULL;
        g_ptr_array_add(pump->analyses, analysis);
    }
    g_array_set_size(pump->cpu_ns, requests->len);
    pump->measures = requests->len > 1;
    return g_steal_pointer(&pump);
}

void pump_free(Pump *pump)
{
    if (!pump)
        return;
    g_ptr_array_unref(pump->analyses);
    g_array_unref(pump->cpu_ns);
    g_free(pump);
}

/* The CPU time of this thread, which doesn't depend on other processes that want the processor. */
static uint64_t cpu_time_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

bool pump_add(Pump *pump, const struct mt_batch *batch, GError **error)
{
    uint64_t before = pump->measures ? cpu_time_ns() : 0, now;

    for (guint i = 0; i < pump->analyses->len; i++) {
        if (!analysis_add(pump->analyses->pdata[i], batch, error))
            return false;
        if (pump->measures) {
            now = cpu_time_ns();
            g_array_index(pump->cpu_ns, uint64_t, i) += now - before;
            before = now;
        }
    }
    return true;
}

void pump_measure(Pump *pump)
{
    pump->measures = true;
}

void pump_take_part(Pump *pump, const AnalysisPart *part)
{
    for (guint i = 0; i < pump->analyses->len; i++)
        analysis_take_part(pump->analyses->pdata[i], part);
}

void pump_begin_thin(Pump *pump)
{
    analysis_begin_thin(pump->analyses->pdata[0]);
}

size_t pump_thin(Pump *pump, const struct mt_batch *batch, uint32_t *kept)
{
    return analysis_thin(pump->analyses->pdata[0], batch, kept);
}

bool pump_merge(Pump *pump, Pump *next, GError **error)
{
    for (guint i = 0; i < pump->analyses->len; i++)
        if (!analysis_merge(pump->analyses->pdata[i], next->analyses->pdata[i], error))
            return false;
    return true;
}

void pump_join(Pump *pump, Pump *other)
{
    g_ptr_array_extend_and_steal(pump->analyses, g_steal_pointer(&other->analyses));
    g_array_append_vals(pump->cpu_ns, other->cpu_ns->data, other->cpu_ns->len);
    other->analyses = g_ptr_array_new();
}

bool pump_finish(Pump *pump, GError **error)
{
    for (guint i = 0; i < pump->analyses->len; i++)
        if (!analysis_finish(pump->analyses->pdata[i], error))
            return false;
    return true;
}

static void describe_costs(const Pump *pump, Report *report)
{
    static const ReportColumn columns[] = { { "analysis", "analysis", REPORT_TEXT },
                                            { "cpu_seconds", "CPU seconds", REPORT_REAL },
                                            { "percent", "%", REPORT_REAL },
                                            { NULL } };
    uint64_t all = 0;
    guint slowest = 0;
    ReportTable *table;

    for (guint i = 0; i < pump->cpu_ns->len; i++) {
        all += g_array_index(pump->cpu_ns, uint64_t, i);
        if (g_array_index(pump->cpu_ns, uint64_t, i) > g_array_index(pump->cpu_ns, uint64_t, slowest))
            slowest = i;
    }
    report_add_text(report, "slowest_analysis", "slowest analysis", analysis_name(pump->analyses->pdata[slowest]));
    table = report_add_table(report, "analysis_costs", "what the analyses cost", columns);
    for (guint i = 0; i < pump->cpu_ns->len; i++) {
        double ns = (double)g_array_index(pump->cpu_ns, uint64_t, i);

        report_table_add_row(table, analysis_name(pump->analyses->pdata[i]), ns / NS_PER_S,
                             all ? 100 * ns / (double)all : 0);
    }
}

void pump_describe(Pump *pump, Report *report, bool named)
{
    for (guint i = 0; i < pump->analyses->len; i++) {
        Analysis *analysis = pump->analyses->pdata[i];
        const char *name = analysis_name(analysis);

        analysis_describe(analysis, named ? report_add_section(report, name, name) : report);
    }
    if (pump->analyses->len > 1)
        describe_costs(pump, report);
}
