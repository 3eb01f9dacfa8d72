/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a hierarchy of caches would make of the accesses: cache_model.h, record by record. Exact, for the caches that
 * are simulated; the figures are defined in memory_tracer-cache(1). Memory: 8 bytes for each line that the caches can
 * hold (SRRIP: 9), 8 for each instruction, object and level; with --classify and --lines, more for each distinct line.
 */
#include "cache.h"

#include "../base/error.h"
#include "../base/sizes.h"
#include "cache_feed.h"
#include "cache_options.h"
#include "line_counts.h"
#include "places.h"

#define KINDS 256 /* values of a record's info */
#define PIECE 1024

typedef struct {
    const CacheOptions *options;
    const Context *context;
    CacheDesign design;
    CacheFeed *feed;
    uint64_t (*by_kind)[KINDS];                         /* of each vCPU: records */
    Places places[CACHE_LEVELS], objects[CACHE_LEVELS]; /* of misses; the latter by context_object_at() */
    bool has_objects;
    LineCounts lines; /* with --lines: misses of each level */
    bool is_fast;
    uint64_t left_out; /* with --physical: their address isn't that of memory, or isn't known */
    AnalysisPart part; /* the lines that are its own; what isn't of lines only part 0 counts */
} Cache;

static void *cache_begin(const AnalysisType *type, const void *options, const Context *context, GError **error)
{
    const CacheOptions *own = options;
    CacheDesign design;
    Cache *cache;

    (void)type;
    if (own->top < 0) {
        mt_fail_usage(error, "--top can't be negative, but %d is.", own->top);
        return NULL;
    }
    if (!cache_options_design(own, &design, error))
        return NULL;
    cache = g_new0(Cache, 1);
    cache->options = own;
    cache->context = context;
    cache->has_objects = context_has_objects(context);
    cache->design = design;
    cache->feed = cache_feed_new(&design);
    cache->by_kind = g_malloc0(CACHE_MAX_VCPUS * sizeof *cache->by_kind);
    cache->is_fast = cache_model_has_fast_path(cache->feed->model) && design.prefetch != CACHE_STRIDE;
    return cache;
}

static void cache_end(void *data)
{
    Cache *cache = data;

    cache_feed_free(cache->feed);
    for (unsigned level = 0; level < CACHE_LEVELS; level++) {
        places_clear(&cache->places[level]);
        places_clear(&cache->objects[level]);
    }
    line_counts_clear(&cache->lines);
    g_free(cache->by_kind);
    g_free(cache);
}

/* `missed`: a bit for each level. Of the batch's record `i`. */
static void count_misses(Cache *cache, unsigned missed, uint64_t line, const struct mt_batch *batch, size_t i)
{
    uint64_t *of_line = missed && cache->options->lines ? line_counts_get(&cache->lines, line) : NULL;
    uint32_t object = missed && cache->has_objects ? context_object_at(cache->context, batch, i) : 0;

    for (unsigned level = 0; missed; level++, missed >>= 1)
        if (missed & 1) {
            places_add(&cache->places[level], batch->instruction ? batch->instruction[i] : 0);
            if (cache->has_objects)
                places_add(&cache->objects[level], object);
            if (of_line)
                of_line[level]++;
        }
}

/* `address` and `size`: the batch's record `i`, or the part of it that is known. */
static void add_record(Cache *cache, const struct mt_batch *batch, size_t i, uint64_t address, unsigned size)
{
    CacheFeedLines lines = cache_feed_lines(cache->feed, address, size);
    unsigned vcpu = batch->vcpu;
    uint8_t info = batch->info[i];

    for (uint64_t k = 0; k < lines.count; k++) {
        uint64_t line = cache_feed_line(&lines, k);

        if (!analysis_part_has(&cache->part, line))
            continue;
        count_misses(cache, cache_feed_access(cache->feed, vcpu, line, mt_is_store(info), mt_cpl(info)), line, batch,
                     i);
    }
    if (cache->design.prefetch == CACHE_STRIDE)
        cache_feed_prefetch_stride(cache->feed, vcpu, batch->instruction ? batch->instruction[i] : 0, address,
                                   mt_cpl(info));
    /* Each record is one access already: add_kinds() counts it. */
    if (!cache->part.number)
        cache_model_core(cache->feed->model, vcpu)->counts[0][mt_cpl(info)].accesses += lines.count - 1;
}

static void add_kinds(uint64_t *by_kind, const struct mt_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        by_kind[batch->info[i]]++;
}

/* Most accesses hit the first level, and most of those the line that its set has used last. */
static void add_fast(Cache *cache, const struct mt_batch *batch)
{
    const CacheArray array = *cache_model_core(cache->feed->model, batch->vcpu)->array[0]; /* ours stays in registers */
    unsigned shift = cache->design.line_shift;

    for (size_t i = 0; i < batch->count; i++) {
        uint64_t address = batch->address[i], line = address >> shift;
        uint8_t info = batch->info[i];

        if (G_UNLIKELY(((address + mt_size(info) - 1) >> shift) != line) ||
            !cache_array_hits(&array, line, mt_is_store(info)))
            add_record(cache, batch, i, address, mt_size(info));
    }
}

/* The same of a part: first finds, without branches, which records touch its lines. */
static void add_fast_part(Cache *cache, const struct mt_batch *batch)
{
    const CacheArray array = *cache_model_core(cache->feed->model, batch->vcpu)->array[0];
    const AnalysisPart part = cache->part;
    unsigned shift = cache->design.line_shift;
    uint32_t own[PIECE];

    for (size_t begin = 0; begin < batch->count; begin += PIECE) {
        size_t end = MIN(begin + PIECE, batch->count), count = 0;

        for (size_t i = begin; i < end; i++) {
            uint64_t line = batch->address[i] >> shift;

            own[count] = (uint32_t)i;
            count +=
                analysis_part_has(&part, line) | (((batch->address[i] + mt_size(batch->info[i]) - 1) >> shift) != line);
        }
        for (size_t k = 0; k < count; k++) {
            size_t i = own[k];
            uint64_t address = batch->address[i], line = address >> shift;
            uint8_t info = batch->info[i];

            if (G_UNLIKELY(((address + mt_size(info) - 1) >> shift) != line) ||
                !cache_array_hits(&array, line, mt_is_store(info)))
                add_record(cache, batch, i, address, mt_size(info));
        }
    }
}

static void add_each(Cache *cache, const struct mt_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        add_record(cache, batch, i, batch->address[i], mt_size(batch->info[i]));
}

/* A trace has the physical address of the first byte, so of an access to two pages only the part in the first one is
 * known. */
static void add_physical(Cache *cache, const struct mt_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        uint64_t address = batch->paddr[i];
        uint8_t info = batch->info[i];

        if (address & MT_PADDR_IO) { /* set in MT_PADDR_UNKNOWN, too */
            cache->left_out++;
            continue;
        }
        if (!cache->part.number)
            cache->by_kind[batch->vcpu % CACHE_MAX_VCPUS][info]++;
        add_record(cache, batch, i, address, cache_feed_in_page(address, mt_size(info)));
    }
}

static bool cache_add(void *data, const struct mt_batch *batch, GError **error)
{
    Cache *cache = data;

    if (cache->options->physical) {
        if (!batch->paddr)
            return mt_fail(error, "the trace has no physical addresses (it must be recorded with --fields paddr)");
        add_physical(cache, batch);
        return true;
    }
    if (!cache->part.number)
        add_kinds(cache->by_kind[batch->vcpu % CACHE_MAX_VCPUS], batch);
    if (cache->is_fast && cache->part.count)
        add_fast_part(cache, batch);
    else if (cache->is_fast)
        add_fast(cache, batch);
    else
        add_each(cache, batch);
    return true;
}

/* Parts of the work: a part has some of the sets of each level, those of the same lines. */

static AnalysisDivision cache_divide(const void *options, unsigned jobs)
{
    CacheDesign design;
    uint64_t sets = 0;

    if (!cache_options_design(options, &design, NULL))
        return (AnalysisDivision){ 0 };
    if (design.prefetch != CACHE_NO_PREFETCH)
        return (AnalysisDivision){ .why_not = "a prefetcher takes lines of other sets" };
    if (design.classify)
        return (AnalysisDivision){ .why_not = "--classify compares with caches of one set" };
    for (unsigned i = 0; i < design.levels; i++) {
        if (design.level[i].policy == CACHE_RANDOM)
            return (AnalysisDivision){ .why_not = "all sets share one row of random numbers" };
        sets |= design.level[i].sets; /* what divides all of them divides this */
    }
    return analysis_divide_by_sets(sets, jobs);
}

static void cache_take_part(void *data, const AnalysisPart *part)
{
    Cache *cache = data;

    cache->part = *part;
}

static bool cache_merge(void *data, void *other, GError **error)
{
    Cache *cache = data;
    const Cache *next = other;

    (void)error;
    cache_model_add_counts(cache->feed->model, next->feed->model);
    for (unsigned level = 0; level < CACHE_LEVELS; level++) {
        places_merge(&cache->places[level], &next->places[level]);
        places_merge(&cache->objects[level], &next->objects[level]);
    }
    line_counts_merge(&cache->lines, &next->lines);
    return true;
}

/* Results. */

/* A row of a table of counts: those of some vCPUs and CPLs. */
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
            for (unsigned kind = 0; !level && kind < KINDS; kind++)
                all.accesses += mt_cpl((uint8_t)kind) == (unsigned)k ? cache->by_kind[i][kind] : 0;
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
    bool several = cache->feed->model->cores > 1; /* else people know already */
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
        for (unsigned kind = 0; kind < KINDS; kind++)
            records += cache->by_kind[vcpu][kind];
    return records;
}

static void cache_describe(void *data, Report *report)
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

static unsigned cache_columns(const void *options)
{
    const CacheOptions *own = options;

    return cache_analysis.columns | (own->physical ? MT_COLUMN_PADDR : 0);
}

static const CacheOptions defaults = { .top = CACHE_DEFAULT_TOP };
static const AnalysisOption options[] = {
    { "l1d", G_OPTION_ARG_STRING, offsetof(CacheOptions, level[0]),
      "The first level (default: the machine's), or 'none'; WAYS may be 'full'", "SIZE,WAYS[,LINE]" },
    { "l2", G_OPTION_ARG_STRING, offsetof(CacheOptions, level[1]), "The second level", "SIZE,WAYS[,LINE]" },
    { "l3", G_OPTION_ARG_STRING, offsetof(CacheOptions, level[2]), "The third level", "SIZE,WAYS[,LINE]" },
    { "machine", G_OPTION_ARG_STRING, offsetof(CacheOptions, machine),
      "What isn't given is this one's: zen4, skylake, neoverse-n1, host (this machine), or a file of settings",
      "MACHINE" },
    { "shared", G_OPTION_ARG_STRING, offsetof(CacheOptions, shared),
      "Levels that all vCPUs share: some of l1d,l2,l3, or none (default: l3)", "LEVELS" },
    { "policy", G_OPTION_ARG_STRING, offsetof(CacheOptions, policy),
      "Which line goes: lru (default), plru, fifo, random or srrip; or one for each level", "POLICY[,...]" },
    { "write", G_OPTION_ARG_STRING, offsetof(CacheOptions, write),
      "What the first level does with stores (default: back)", "back|through" },
    { "no-allocate", G_OPTION_ARG_NONE, offsetof(CacheOptions, no_allocate),
      "Stores that miss the first level don't bring the line into it", NULL },
    { "inclusion", G_OPTION_ARG_STRING, offsetof(CacheOptions, inclusion),
      "Of the lower levels: non-inclusive (default), inclusive or exclusive; or one for l2 and one for l3",
      "INCLUSION[,...]" },
    { "prefetch", G_OPTION_ARG_STRING, offsetof(CacheOptions, prefetch),
      "A prefetcher into the first level (default: none)", "none|next-line|stride" },
    { "classify", G_OPTION_ARG_NONE, offsetof(CacheOptions, classify),
      "Tell compulsory, capacity and conflict misses apart", NULL },
    { "lines", G_OPTION_ARG_NONE, offsetof(CacheOptions, lines), "Tell which lines miss most, too", NULL },
    { "physical", G_OPTION_ARG_NONE, offsetof(CacheOptions, physical),
      "By physical addresses, which the trace must have", NULL },
    { "top", G_OPTION_ARG_INT, offsetof(CacheOptions, top), "Rows of the tables for each level (default: 10)", "N" },
    { NULL },
};

const AnalysisType cache_analysis = {
    .name = "cache",
    .summary = "What a hierarchy of caches would make of the accesses: hits, misses, and who misses most.",
    .columns = MT_COLUMN_ADDRESS | MT_COLUMN_INFO | MT_COLUMN_INSTRUCTION | MT_COLUMN_TASK,
    .options = options,
    .defaults = &defaults,
    .options_bytes = sizeof defaults,
    .columns_for = cache_columns,
    .begin = cache_begin,
    .add = cache_add,
    .describe = cache_describe,
    .end = cache_end,
    .divide = cache_divide,
    .take_part = cache_take_part,
    .merge = cache_merge,
};
