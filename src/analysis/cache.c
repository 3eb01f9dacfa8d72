/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Simulates a hierarchy of caches (cache_model.h), record by record. Exact, for the caches that are simulated; the
 * figures are defined in memory_tracer-cache(1). Memory: 8 bytes for each line that the caches can hold (SRRIP: 9), 8
 * for each instruction, object and level; with --classify and --lines, more for each distinct line; 32 for each event
 * of a stretch.
 */
#include "cache.h"

#include <string.h>

#include "../base/error.h"
#include "cache_private.h"

#define PIECE 1024

static bool is_fast(const CacheDesign *design)
{
    return cache_model_has_fast_path(design) && design->prefetch != CACHE_STRIDE;
}

/* The groups of the first level, if records may be left out; else 0. What isn't there after it was used, or goes when
 * others are used or prefetched, must not be left out. */
static unsigned groups_of_first_level(const CacheDesign *design, const CacheOptions *options)
{
    bool inclusive = false;

    for (unsigned i = 1; i < design->levels; i++)
        inclusive |= design->level[i].inclusion == CACHE_INCLUSIVE;
    if (!is_fast(design) || design->prefetch != CACHE_NO_PREFETCH || options->physical || design->no_allocate ||
        inclusive)
        return 0;
    return cache_array_groups(design->level[0].sets);
}

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
    cache->is_fast = is_fast(&design);
    cache->groups = groups_of_first_level(&design, own);
    return cache;
}

static void cache_end(void *data)
{
    Cache *cache = data;

    cache_feed_free(cache->feed);
    g_clear_pointer(&cache->events, g_array_unref);
    for (unsigned level = 0; level < CACHE_LEVELS; level++) {
        places_clear(&cache->places[level]);
        places_clear(&cache->objects[level]);
    }
    line_counts_clear(&cache->lines);
    for (unsigned vcpu = 0; vcpu < CACHE_MAX_VCPUS; vcpu++)
        g_free(cache->kinds[vcpu]);
    g_free(cache->kept);
    g_free(cache);
}

/* The counts of a vCPU's records. */
static KindCounts *kinds_of(Cache *cache, unsigned vcpu)
{
    KindCounts **kinds = &cache->kinds[vcpu % CACHE_MAX_VCPUS];

    if (!*kinds)
        *kinds = g_new0(KindCounts, 1);
    return *kinds;
}

void cache_count_object(Cache *cache, unsigned missed, uint32_t object)
{
    for (unsigned level = 0; missed >> level; level++)
        if (missed >> level & 1)
            places_add(&cache->objects[level], object);
}

/* Counts by objects what has missed in this batch. */
static void count_objects(Cache *cache, const struct mt_batch *batch)
{
    CacheMissed *missed = &cache->missed;
    uint32_t objects[CACHE_MISSED_AT_ONCE];

    context_objects_at(cache->context, batch, missed->record, missed->count, objects);
    for (size_t i = 0; i < missed->count; i++)
        cache_count_object(cache, missed->levels[i], objects[i]);
    missed->count = 0;
}

void cache_count_miss(Cache *cache, unsigned missed, uint64_t line, uint32_t instruction)
{
    uint64_t *of_line = cache->options->lines ? line_counts_get(&cache->lines, line) : NULL;

    for (unsigned level = 0; missed >> level; level++)
        if (missed >> level & 1) {
            places_add(&cache->places[level], instruction);
            if (of_line)
                of_line[level]++;
        }
}

/* Counts a miss of the batch's record `i`. */
static void count_misses(Cache *cache, unsigned missed, uint64_t line, const struct mt_batch *batch, size_t i)
{
    cache_count_miss(cache, missed, line, batch->instruction ? batch->instruction[i] : 0);
    if (!cache->has_objects)
        return;
    cache->missed.record[cache->missed.count] = (uint32_t)i;
    cache->missed.levels[cache->missed.count++] = (uint8_t)missed;
    if (cache->missed.count == CACHE_MISSED_AT_ONCE)
        count_objects(cache, batch);
}

/* Simulates the batch's record `i`. `address` and `size`: of the record, or of the part whose address is known. */
static void add_record(Cache *cache, const struct mt_batch *batch, size_t i, uint64_t address, unsigned size)
{
    CacheFeedLines lines = cache_feed_lines(cache->feed, address, size);
    unsigned vcpu = batch->vcpu;
    uint8_t info = batch->info[i];

    for (uint64_t k = 0; k < lines.count; k++) {
        uint64_t line = cache_feed_line(&lines, k);
        unsigned missed = analysis_part_has(&cache->part, line)
                              ? cache_feed_access(cache->feed, vcpu, line, mt_is_store(info), mt_cpl(info))
                              : 0;

        if (missed)
            count_misses(cache, missed, line, batch, i);
    }
    if (cache->design.prefetch == CACHE_STRIDE)
        cache_feed_prefetch_stride(cache->feed, vcpu, batch->instruction ? batch->instruction[i] : 0, address,
                                   mt_cpl(info));
    /* Each record is one access already: the kinds are counted. */
    if (!cache->part.number)
        cache_model_core(cache->feed->model, vcpu)->counts[0][mt_cpl(info)].accesses += lines.count - 1;
}

/* Most accesses hit the first level, and most of those the line that its set has used last. `some`: the records;
 * NULL: the first `count` ones. */
static void add_fast(Cache *cache, const struct mt_batch *batch, const uint32_t *some, size_t count)
{
    const CacheArray array = *cache_model_core(cache->feed->model, batch->vcpu)->array[0]; /* stays in registers */
    unsigned shift = cache->design.line_shift;

    for (size_t k = 0; k < count; k++) {
        size_t i = some ? some[k] : k;
        uint64_t address = batch->address[i], line = address >> shift;
        uint8_t info = batch->info[i];

        if (G_UNLIKELY(((address + mt_size(info) - 1) >> shift) != line) ||
            !cache_array_hits(&array, line, mt_is_store(info)))
            add_record(cache, batch, i, address, mt_size(info));
    }
}

/* The same of a part: first finds without branches which records touch its lines. */
static void add_fast_part(Cache *cache, const struct mt_batch *batch)
{
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
        add_fast(cache, batch, own, count);
    }
}

/* What is known of a group: the number of its last line plus 1, above these bits. */
#define GROUP_DIRTY 1u
#define GROUP_USED 2u /* the line was used as often as needed: see cache_array_needs_two_uses() */
#define GROUP_SHIFT 2

/* Which records of a batch may change anything. Most use the line that was used last of all that may be in the same
 * set, and don't make it dirty. Nobody else has used the level since: a batch is one vCPU's. A group's word is written
 * behind the next record's look, which so needn't wait until it is there: it mostly is the same group. */
static size_t cache_thin(void *data, const struct mt_batch *batch, uint32_t *kept)
{
    Cache *cache = data;
    KindCounts *kinds = kinds_of(cache, batch->vcpu);
    const uint64_t used = cache_array_needs_two_uses(cache->design.level[0].policy) ? 0 : GROUP_USED;
    uint64_t last[CACHE_GROUPS_MOST], word_before = 0;
    const uint64_t *addresses = batch->address;
    const uint8_t *infos = batch->info;
    unsigned shift = cache->design.line_shift, mask = cache->groups - 1, group_before = 0;
    size_t records = batch->count, count = 0;

    memset(last, 0, cache->groups * sizeof *last);
    for (size_t i = 0; i < records; i++) {
        uint8_t info = infos[i];
        uint64_t line = addresses[i] >> shift, line_behind = (addresses[i] + mt_size(info) - 1) >> shift;
        unsigned group = line & mask;
        uint64_t word = last[group], after = (line + 1) << GROUP_SHIFT | used | (mt_is_store(info) ? GROUP_DIRTY : 0);

        last[group_before] = word_before;
        word = group == group_before ? word_before : word;
        kept[count] = (uint32_t)i;
        kind_counts_add(kinds, i, info);
        if (G_UNLIKELY(line != line_behind)) {
            last[line_behind & mask] = 0;
            if (line_behind - line > 1) /* small lines, a large access: those in between, too */
                memset(last, 0, cache->groups * sizeof *last);
            group_before = group;
            word_before = 0;
            count++;
            continue;
        }
        after |= (word ^ after) >> GROUP_SHIFT ? 0 : word | GROUP_USED;
        count += after != word;
        group_before = group;
        word_before = after;
    }
    return count;
}

/* Leaves out what changes nothing, without branches that the processor could not predict. */
static void add_thinned(Cache *cache, const struct mt_batch *batch)
{
    size_t count;

    if (batch->count > cache->kept_room) {
        cache->kept_room = batch->count;
        cache->kept = g_renew(uint32_t, cache->kept, cache->kept_room);
    }
    count = cache_thin(cache, batch, cache->kept);
    if (cache->events)
        cache_stretch_add(cache, batch, cache->kept, count);
    else
        add_fast(cache, batch, cache->kept, count);
}

static void add_each(Cache *cache, const struct mt_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        add_record(cache, batch, i, batch->address[i], mt_size(batch->info[i]));
}

/* A trace has the physical address of the first byte only: so of an access to two pages, the part in the second page is
 * left out. */
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
            kind_counts_add(kinds_of(cache, batch->vcpu), i, info);
        add_record(cache, batch, i, address, cache_feed_in_page(address, mt_size(info)));
    }
}

static void add_virtual(Cache *cache, const struct mt_batch *batch)
{
    bool is_part = cache->part.count;

    if (cache->groups && !cache->is_thinned && !is_part) {
        add_thinned(cache, batch);
        return;
    }
    if (!cache->is_thinned && !cache->part.number)
        kind_counts_add_all(kinds_of(cache, batch->vcpu), batch->info, batch->count);
    if (cache->is_fast && is_part)
        add_fast_part(cache, batch);
    else if (cache->is_fast)
        add_fast(cache, batch, NULL, batch->count);
    else
        add_each(cache, batch);
}

static bool cache_add(void *data, const struct mt_batch *batch, GError **error)
{
    Cache *cache = data;

    if (cache->options->physical && !batch->paddr)
        return mt_fail(error, "the trace has no physical addresses (it must be recorded with --fields paddr)");
    if (cache->options->physical)
        add_physical(cache, batch);
    else
        add_virtual(cache, batch);
    if (cache->missed.count)
        count_objects(cache, batch);
    return true;
}

/* Parts of the work: a stretch of the trace (cache_stretch.c), or some of the sets of each level, those of the same
 * lines. */

static AnalysisDivision divide_by_sets(const CacheDesign *design, bool thins, unsigned jobs)
{
    AnalysisDivision division;
    uint64_t sets = 0;

    if (design->prefetch != CACHE_NO_PREFETCH)
        return (AnalysisDivision){ .why_not = "a prefetcher takes lines of other sets" };
    if (design->classify)
        return (AnalysisDivision){ .why_not = "--classify compares with caches of one set" };
    for (unsigned i = 0; i < design->levels; i++) {
        if (design->level[i].policy == CACHE_RANDOM)
            return (AnalysisDivision){ .why_not = "all sets share one row of random numbers" };
        sets |= design->level[i].sets; /* a power of two that divides all of them divides this */
    }
    division = analysis_divide_by_sets(sets, thins ? (jobs + 1) / 2 : jobs);
    division.thins = thins;
    return division;
}

static AnalysisDivision cache_divide(const void *options, unsigned jobs)
{
    AnalysisDivision division;
    CacheDesign design;
    bool thins;

    if (!cache_options_design(options, &design, NULL))
        return (AnalysisDivision){ 0 };
    thins = groups_of_first_level(&design, options);
    division = divide_by_sets(&design, thins, jobs);
    if (thins && cache_stretch_may_be(&design))
        division.split = ANALYSIS_IN_TURN;
    return division;
}

static void cache_take_part(void *data, const AnalysisPart *part)
{
    Cache *cache = data;

    if (part->count)
        cache->part = *part;
    else if (part->number)
        cache_stretch_begin(cache);
}

static void cache_begin_thin(void *data)
{
    Cache *cache = data;

    cache->is_thinned = true;
}

static bool cache_merge(void *data, void *other, GError **error)
{
    Cache *cache = data;
    const Cache *next = other;

    (void)error;
    if (next->events)
        cache_stretch_replay(cache, next);
    cache_model_add_counts(cache->feed->model, next->feed->model);
    for (unsigned vcpu = 0; vcpu < CACHE_MAX_VCPUS; vcpu++)
        if (next->kinds[vcpu])
            kind_counts_merge(kinds_of(cache, vcpu), next->kinds[vcpu]);
    for (unsigned level = 0; level < CACHE_LEVELS; level++) {
        places_merge(&cache->places[level], &next->places[level]);
        places_merge(&cache->objects[level], &next->objects[level]);
    }
    line_counts_merge(&cache->lines, &next->lines);
    return true;
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
    .begin_thin = cache_begin_thin,
    .thin = cache_thin,
    .merge = cache_merge,
};
