/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Analyses of a running guest: see live.h. */
#include "live.h"

#include "../analysis/pump.h"
#include "../ring/columns.h"

struct LiveAnalyses {
    Ring *ring;
    Context *context;
    Pump *pump;
    unsigned columns;
    RingColumns *split;
    uint64_t records;
    GError *error;
};

unsigned live_analyses_fields(const GPtrArray *requests)
{
    unsigned columns = pump_columns(requests);

    return (columns & MT_COLUMN_INSTRUCTION ? MT_FIELD_INSTRUCTION : 0) |
           (columns & MT_COLUMN_PADDR ? MT_FIELD_PADDR : 0) | (columns & MT_COLUMN_VALUE ? MT_FIELD_VALUE : 0) |
           (columns & MT_COLUMN_TIME ? MT_FIELD_TIME : 0) | (columns & MT_COLUMN_TASK ? MT_FIELD_TASK : 0) |
           /* Sizes are told beside physical addresses, or not at all: who only would use them doesn't pay for those. */
           ((columns & MT_COLUMN_PADDR) && (columns & MT_COLUMN_PAGE_SIZE) ? MT_FIELD_PAGE_SIZE : 0);
}

LiveAnalyses *live_analyses_new(const GPtrArray *requests, Ring *ring, GError **error)
{
    g_autoptr(LiveAnalyses) live = g_new0(LiveAnalyses, 1);

    live->ring = ring;
    live->context = context_new_live(ring);
    live->columns = pump_columns(requests);
    live->split = g_new0(RingColumns, 1);
    live->pump = pump_new(requests, live->context, error);
    return live->pump ? g_steal_pointer(&live) : NULL;
}

void live_analyses_free(LiveAnalyses *live)
{
    if (!live)
        return;
    pump_free(live->pump);
    context_free(live->context);
    g_free(live->split);
    g_clear_error(&live->error);
    g_free(live);
}

bool live_analyses_take(void *data, const struct gmbeoo_record *records, size_t count)
{
    LiveAnalyses *live = data;
    const uint8_t *bytes = (const uint8_t *)records;
    unsigned fields = ring_fields(live->ring);
    struct mt_batch batch = { .vcpu = count ? ring_taken_vcpu(live->ring) : 0,
                              .time_ns = count && (fields & MT_FIELD_TIME) ? ring_time(live->ring, records) : 0 };

    while (count) {
        size_t piece = MIN(count, RING_COLUMNS_RECORDS);

        ring_columns_split(live->split, fields, live->columns, (const struct gmbeoo_record *)bytes, piece, &batch);
        batch.first = live->records;
        for (size_t i = 0; i < live->split->changes; i++)
            context_note_change(live->context, live->split->change[i]);
        if (!pump_add(live->pump, &batch, &live->error))
            return false;
        live->records += batch.count;
        bytes += piece * ring_record_bytes(live->ring);
        count -= piece;
    }
    return true;
}

const GError *live_analyses_error(const LiveAnalyses *live)
{
    return live->error;
}

bool live_analyses_finish(LiveAnalyses *live, GError **error)
{
    return pump_finish(live->pump, error);
}

void live_analyses_describe(LiveAnalyses *live, Report *report, bool named)
{
    pump_describe(live->pump, report, named);
}
