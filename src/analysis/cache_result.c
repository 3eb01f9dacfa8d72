/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The result of `cache`: see cache_private.h. The figures are defined in memory_tracer-cache(1). */
#include "../base/sizes.h"
#include "cache_private.h"

/* The sum of the counts of one vCPU and CPL (-1: of all). */
static CacheCounts sum(const Cache *cache, unsigned level, int vcpu, int cpl)
{
    CacheCounts all = { 0 };

    for (int i = 0; i < CACHE_MAX_VCPUS; i++) {
        const CacheCore *core = cache->feed->model->core[i];

        for (int k = 0; core && (vcpu < 0 || vcpu == i) && k < CACHE_CPLS; k++) {
            const uint64_t *from = (const uint64_t *)&core->counts[level][k];

            if (cpl >= 0 && cpl != k)
                continue;
            for (size_t n = 0; n < sizeof all / sizeof *from; n++)
                ((uint64_t *)&all)[n] += from[n];
            for (unsigned kind = 0; !level && cache->kinds[i] && kind < KIND_COUNTS; kind++)
                all.accesses += mt_cpl((uint8_t)kind) == (unsigned)k ? kind_counts_get(cache->kinds[i], kind) : 0;
        }
    }
    return all;
}

static double percent(uint64_t part, uint64_t all)
{
    return all ? 100.0 * (double)part / (double)all : 0;
}

static void describe_design(const Cache *cache, Report *report)
{
    static const char *const inclusions[] = { "non-inclusive", "inclusive", "exclusive" };
    static const ReportColumn columns[] = {
        { "name", "cache", REPORT_TEXT }, { "bytes", "bytes", REPORT_COUNT }, { "sets", "sets", REPORT_COUNT },
        { "ways", "ways", REPORT_COUNT }, { "line", "line", REPORT_COUNT },   { "policy", "policy", REPORT_TEXT },
        { "whose", "of", REPORT_TEXT },   { "inclusion", "", REPORT_TEXT },   { NULL }
    };
    ReportTable *table = report_add_table(report, "caches", "caches", columns);

    for (unsigned i = 0; i < cache->design.levels; i++) {
        const CacheLevel *level = &cache->design.level[i];

        report_table_add_row(table, level->name, level->bytes, level->sets, (uint64_t)level->ways,
                             UINT64_C(1) << cache->design.line_shift, cache_policy_name(level->policy),
                             level->shared ? "all vCPUs" : "each vCPU", i ? inclusions[level->inclusion] : "");
    }
}

static void describe_levels(const Cache *cache, Report *report)
{
    static const ReportColumn columns[] = { { "name", "level", REPORT_TEXT },
                                            { "accesses", "accesses", REPORT_COUNT },
                                            { "hits", "hits", REPORT_COUNT },
                                            { "misses", "misses", REPORT_COUNT },
                                            { "miss_percent", "misses %", REPORT_REAL },
                                            { "evictions", "evictions", REPORT_COUNT },
                                            { "writebacks", "write-backs", REPORT_COUNT },
                                            { "invalidations", "invalidations", REPORT_COUNT },
                                            { NULL } };
    ReportTable *table = report_add_table(report, "levels", "levels", columns);

    for (unsigned i = 0; i < cache->design.levels; i++) {
        CacheCounts all = sum(cache, i, -1, -1);

        report_table_add_row(table, cache->design.level[i].name, all.accesses, all.accesses - all.misses, all.misses,
                             percent(all.misses, all.accesses), all.evictions, all.writebacks, all.invalidations);
    }
}

static void describe_classes(const Cache *cache, Report *report)
{
    static const ReportColumn columns[] = { { "name", "level", REPORT_TEXT },
                                            { "compulsory", "compulsory", REPORT_COUNT },
                                            { "capacity", "capacity", REPORT_COUNT },
                                            { "conflict", "conflict", REPORT_COUNT },
                                            { NULL } };
    ReportTable *table = report_add_table(report, "classes", "classes of misses", columns);

    for (unsigned i = 0; i < cache->design.levels; i++) {
        CacheCounts all = sum(cache, i, -1, -1);

        report_table_add_row(table, cache->design.level[i].name, all.classes[CACHE_COMPULSORY],
                             all.classes[CACHE_CAPACITY], all.classes[CACHE_CONFLICT]);
    }
}

#define COLUMNS_OF_PARTS(name, label)                                                                                  \
    {                                                                                                                  \
        { "name", "level", REPORT_TEXT }, { name, label, REPORT_COUNT }, { "accesses", "accesses", REPORT_COUNT },     \
            { "hits", "hits", REPORT_COUNT }, { "misses", "misses", REPORT_COUNT },                                    \
            { "miss_percent", "misses %", REPORT_REAL }, { "evictions", "evictions", REPORT_COUNT },                   \
            { "writebacks", "write-backs", REPORT_COUNT },                                                             \
        {                                                                                                              \
            NULL                                                                                                       \
        }                                                                                                              \
    }

static void add_part(const Cache *cache, ReportTable *table, unsigned level, int part, const CacheCounts *counts)
{
    if (counts->accesses || counts->evictions)
        report_table_add_row(table, cache->design.level[level].name, (uint64_t)part, counts->accesses,
                             counts->accesses - counts->misses, counts->misses,
                             percent(counts->misses, counts->accesses), counts->evictions, counts->writebacks);
}

static void describe_parts(const Cache *cache, Report *report)
{
    static const ReportColumn of_cpls[] = COLUMNS_OF_PARTS("cpl", "CPL");
    static const ReportColumn of_vcpus[] = COLUMNS_OF_PARTS("vcpu", "vCPU");
    bool several = cache->feed->model->cores > 1; /* one vCPU's rows would repeat those of all */
    ReportTable *by_cpl = report_add_table(report, "by_cpl", "by privilege level", of_cpls);
    ReportTable *by_vcpu = report_add_table(report, "by_vcpu", several ? "by vCPU" : NULL, of_vcpus);

    for (unsigned level = 0; level < cache->design.levels; level++) {
        for (int cpl = 0; cpl < CACHE_CPLS; cpl++) {
            CacheCounts counts = sum(cache, level, -1, cpl);

            add_part(cache, by_cpl, level, cpl, &counts);
        }
        for (int vcpu = 0; vcpu < CACHE_MAX_VCPUS; vcpu++) {
            CacheCounts counts = sum(cache, level, vcpu, -1);

            add_part(cache, by_vcpu, level, vcpu, &counts);
        }
    }
}

static void describe_prefetches(const Cache *cache, Report *report)
{
    CacheCounts all = sum(cache, 0, -1, -1);

    report_add_count(report, "prefetches", "prefetches", all.prefetches);
    report_add_share(report, "useful_prefetches", "used before they went", all.useful_prefetches, all.prefetches);
}

static void describe_memory(const Cache *cache, Report *report)
{
    const CacheModel *model = cache->feed->model;

    report_add_count(report, "memory_reads", "lines read from memory", model->memory_reads);
    report_add_count(report, "memory_writes", "lines written to memory", model->memory_writes);
}

static void describe_lines(const Cache *cache, Report *report)
{
    static const ReportColumn columns[] = { { "level", "level", REPORT_TEXT },
                                            { "address", "line", REPORT_ADDRESS },
                                            { "misses", "misses", REPORT_COUNT },
                                            { "percent", "%", REPORT_REAL },
                                            { NULL } };
    ReportTable *table = report_add_table(report, "top_lines", "lines that missed most", columns);

    for (unsigned level = 0; level < cache->design.levels; level++) {
        g_autoptr(GArray) top = line_counts_top(&cache->lines, level, (guint)cache->options->top);

        for (guint i = 0; i < top->len; i++) {
            const LineCount *line = &g_array_index(top, LineCount, i);

            report_table_add_row(table, cache->design.level[level].name, (line->key - 1) << cache->design.line_shift,
                                 line->counts[level], percent(line->counts[level], cache->places[level].total));
        }
    }
}

static uint64_t count_records(const Cache *cache)
{
    uint64_t records = 0;

    for (unsigned vcpu = 0; vcpu < CACHE_MAX_VCPUS; vcpu++)
        for (unsigned kind = 0; cache->kinds[vcpu] && kind < KIND_COUNTS; kind++)
            records += kind_counts_get(cache->kinds[vcpu], kind);
    return records;
}

void cache_describe(void *data, Report *report)
{
    const Cache *cache = data;
    unsigned levels = cache->design.levels;
    guint top = (guint)cache->options->top;
    const char *names[CACHE_LEVELS];

    report_add_count(report, "accesses", "accesses", count_records(cache));
    if (cache->options->physical)
        report_add_count(report, "left_out", "left out", cache->left_out);
    describe_memory(cache, report);
    if (cache->design.prefetch != CACHE_NO_PREFETCH)
        describe_prefetches(cache, report);
    describe_design(cache, report);
    describe_levels(cache, report);
    if (cache->design.classify)
        describe_classes(cache, report);
    describe_parts(cache, report);
    if (cache->options->lines)
        describe_lines(cache, report);
    for (unsigned i = 0; i < levels; i++)
        names[i] = cache->design.level[i].name;
    places_describe(cache->places, names, levels, top, cache->context, report);
    places_describe_objects(cache->objects, names, levels, top, cache->context, report);
}
