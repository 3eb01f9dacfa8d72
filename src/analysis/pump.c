/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Several analyses at once: see pump.h. */
#include "pump.h"

struct Pump {
    GPtrArray *analyses; /* Analysis */
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
    for (guint i = 0; i < requests->len; i++) {
        Analysis *analysis = analysis_new(requests->pdata[i], context, error);

        if (!analysis)
            return NULL;
        g_ptr_array_add(pump->analyses, analysis);
    }
    return g_steal_pointer(&pump);
}

void pump_free(Pump *pump)
{
    if (!pump)
        return;
    g_ptr_array_unref(pump->analyses);
    g_free(pump);
}

bool pump_add(Pump *pump, const struct mt_batch *batch, GError **error)
{
    for (guint i = 0; i < pump->analyses->len; i++)
        if (!analysis_add(pump->analyses->pdata[i], batch, error))
            return false;
    return true;
}

bool pump_finish(Pump *pump, GError **error)
{
    for (guint i = 0; i < pump->analyses->len; i++)
        if (!analysis_finish(pump->analyses->pdata[i], error))
            return false;
    return true;
}

void pump_describe(Pump *pump, Report *report, bool named)
{
    for (guint i = 0; i < pump->analyses->len; i++) {
        Analysis *analysis = pump->analyses->pdata[i];
        const char *name = analysis_name(analysis);

        analysis_describe(analysis, named ? report_add_section(report, name, name) : report);
    }
}
