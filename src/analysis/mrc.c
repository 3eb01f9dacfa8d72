/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Miss-ratio curves of fully associative LRU caches: from stack distances (lru_stack.h) of all granules, or of a sample
 * of them, by their hashes: SHARDS with fixed rate or fixed size, adjusted (C. A. Waldspurger, N. Park, A. Garthwaite
 * and I. Ahmad, "Efficient MRC Construction with SHARDS", 2015: SHARDS-adj). The figures are defined in
 * memory_tracer-mrc(1).
 *
 * The key of a granule is its hash, which has an inverse. The sample's threshold, its greatest member and the hash
 * tables all use this hash.
 */
#include "mrc.h"

#include <string.h>

#include "../base/error.h"
#include "../base/sizes.h"
#include "mrc_private.h"

#define MAX_GRANULARITIES 8
#define LEAST_GRANULE 16
#define MOST_GRANULE (UINT64_C(1) << 40)
#define MAX_VCPUS 256
#define MOST_KEYS (LRU_STACK_MOST_KEYS / 2) /* half, because it is checked after each batch only */
#define PARTITION_SHIFT 24 /* bits of a key above those for most tables, below those that decide about the sample */
#define PIECE 256          /* accesses whose keys are used at once */
#define MOST_GRANULES 9    /* of an access of 128 bytes */

/* Murmur3's finalizer (Appleby 2011): one to one, and each bit depends on all. */
static uint64_t mix(uint64_t value)
{
    value = (value ^ value >> 33) * UINT64_C(0xff51afd7ed558ccd);
    value = (value ^ value >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return value ^ value >> 33;
}

static uint64_t key_of(const Mrc *mrc, uint64_t granule)
{
    return mix(granule ^ mrc->seed);
}

static uint64_t last_granule(const MrcCurve *curve)
{
    return UINT64_MAX >> curve->shift;
}

static unsigned bucket_of(uint64_t distance)
{
    unsigned above;

    if (distance < 1 << MRC_STEP_BITS)
        return (unsigned)distance;
    above = 63u - (unsigned)__builtin_clzll(distance) - MRC_STEP_BITS;
    return (above << MRC_STEP_BITS) + (unsigned)(distance >> above);
}

static void curve_free(gpointer data)
{
    MrcCurve *curve = data;

    if (!curve)
        return;
    for (unsigned i = 0; curve->parts && i < MRC_PARTITIONS; i++)
        lru_stack_clear(&curve->parts[i].stack);
    lru_stack_clear(&curve->whole.stack);
    g_free(curve->parts);
    g_free(curve->group);
    g_array_unref(curve->heap);
    g_clear_pointer(&curve->first_uses, g_array_unref);
    g_clear_pointer(&curve->last_uses, g_array_unref);
    g_free(curve);
}

static MrcCurve *curve_new(const Mrc *mrc, uint64_t granularity, guint group)
{
    MrcCurve *curve = g_new0(MrcCurve, 1);

    curve->shift = (unsigned)__builtin_ctzll(granularity);
    curve->limit = mrc->limit;
    curve->last_key = key_of(mrc, UINT64_MAX); /* of no granule */
    curve->cpl = mrc->split == SPLIT_CPL ? (int)group : -1;
    curve->heap = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    if (mrc->split == SPLIT_CPL)
        curve->group = g_strdup(group ? "user" : "kernel");
    else if (mrc->split == SPLIT_VCPU)
        curve->group = g_strdup_printf("vCPU %u", group);
    lru_stack_init(&curve->whole.stack);
    if (mrc->keeps_first_uses)
        curve->first_uses = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    if (mrc->sampled)
        curve->parts = g_new0(MrcHistogram, MRC_PARTITIONS);
    for (unsigned i = 0; curve->parts && i < MRC_PARTITIONS; i++)
        lru_stack_init(&curve->parts[i].stack);
    return curve;
}

/* Counts a use. `rate` is the share of all granules that the histogram gets, by which its distances are shorter. */
static void count(MrcHistogram *histogram, uint64_t key, double rate)
{
    uint64_t distance = lru_stack_use(&histogram->stack, key);

    histogram->all += 1 / rate;
    if (distance == LRU_STACK_NEW)
        return;
    if (rate < 1)
        distance = (uint64_t)((double)distance / rate);
    histogram->buckets[bucket_of(distance)] += 1 / rate;
}

static MrcHistogram *part_of(MrcCurve *curve, uint64_t key)
{
    return &curve->parts[(key >> PARTITION_SHIFT) % MRC_PARTITIONS];
}

/* A binary heap of keys, the greatest at the top. */

static void heap_add(GArray *heap, uint64_t key)
{
    guint at = heap->len;
    uint64_t *keys;

    g_array_append_val(heap, key);
    keys = (uint64_t *)heap->data;
    for (; at && keys[(at - 1) / 2] < key; at = (at - 1) / 2)
        keys[at] = keys[(at - 1) / 2];
    keys[at] = key;
}

static uint64_t heap_take(GArray *heap)
{
    uint64_t *keys = (uint64_t *)heap->data, top = keys[0], last = keys[heap->len - 1];
    guint at = 0, below;

    g_array_set_size(heap, heap->len - 1);
    while ((below = 2 * at + 1) < heap->len) {
        if (below + 1 < heap->len && keys[below + 1] > keys[below])
            below++;
        if (keys[below] <= last)
            break;
        keys[at] = keys[below];
        at = below;
    }
    if (heap->len)
        keys[at] = last;
    return top;
}

static void drop_greatest(MrcCurve *curve)
{
    uint64_t key = heap_take(curve->heap);

    lru_stack_remove(&curve->whole.stack, key);
    lru_stack_remove(&part_of(curve, key)->stack, key);
    curve->limit = key - 1;
}

static void use_sampled(const Mrc *mrc, MrcCurve *curve, uint64_t key)
{
    double rate = mrc_has_size(mrc->options) ? mrc_sample_rate(curve) : mrc->rate;
    uint64_t before = curve->whole.stack.count;

    count(&curve->whole, key, rate);
    count(part_of(curve, key), key, rate / MRC_PARTITIONS);
    if (!mrc_has_size(mrc->options) || curve->whole.stack.count == before)
        return;
    heap_add(curve->heap, key);
    if (curve->heap->len > (guint)mrc->options->samples)
        drop_greatest(curve);
}

/* The granules of an access: the first one, and how many more there are. */
static inline uint64_t granules_of(const MrcCurve *curve, uint64_t address, uint8_t info, uint64_t *more)
{
    *more = (((address + mt_size(info) - 1) >> curve->shift) - (address >> curve->shift)) & last_granule(curve);
    return address >> curve->shift;
}

static inline void use_if_sampled(const Mrc *mrc, MrcCurve *curve, uint64_t granule)
{
    uint64_t key = key_of(mrc, granule);

    if (key <= curve->limit)
        use_sampled(mrc, curve, key);
}

static void sample_access(const Mrc *mrc, MrcCurve *curve, uint64_t address, uint8_t info)
{
    uint64_t more, granule = granules_of(curve, address, info, &more);

    curve->uses += 1 + more;
    use_if_sampled(mrc, curve, granule);
    for (; G_UNLIKELY(more); more--)
        use_if_sampled(mrc, curve, granule = (granule + 1) & last_granule(curve));
}

static bool is_user(const struct mt_batch *batch, size_t i)
{
    return mt_cpl(batch->info[i]) == 3;
}

/* Lists the keys that these records use, but for those that use the key of the use before. (A repeated use need only be
 * counted.) Returns how many there are. */
static size_t list_keys(const Mrc *mrc, MrcCurve *curve, const struct mt_batch *batch, size_t begin, size_t end,
                        uint64_t *keys)
{
    uint64_t last = curve->last_key, uses = 0;
    size_t count = 0;

    for (size_t i = begin; i < end; i++) {
        uint64_t more, granule, key;

        if (curve->cpl >= 0 && curve->cpl != is_user(batch, i))
            continue;
        granule = granules_of(curve, batch->address[i], batch->info[i], &more);
        key = key_of(mrc, granule);
        uses += 1 + more;
        keys[count] = key;
        count += key != last;
        last = key;
        for (; G_UNLIKELY(more); more--) {
            granule = (granule + 1) & last_granule(curve);
            last = keys[count++] = key_of(mrc, granule);
        }
    }
    curve->last_key = last;
    curve->uses += uses;
    curve->whole.all += (double)uses;
    curve->whole.buckets[0] += (double)(uses - count);
    return count;
}

/* Adds records without a sample. */
static void add_exactly(const Mrc *mrc, MrcCurve *curve, const struct mt_batch *batch)
{
    uint64_t keys[PIECE * MOST_GRANULES], distances[PIECE * MOST_GRANULES];

    for (size_t begin = 0; begin < batch->count; begin += PIECE) {
        size_t count = list_keys(mrc, curve, batch, begin, MIN(begin + PIECE, batch->count), keys);

        lru_stack_use_all(&curve->whole.stack, keys, count, distances);
        for (size_t i = 0; i < count; i++) {
            if (G_LIKELY(distances[i] != LRU_STACK_NEW))
                curve->whole.buckets[bucket_of(distances[i])]++;
            else if (curve->first_uses)
                g_array_append_val(curve->first_uses, keys[i]);
        }
    }
}

static MrcCurve *get_curve(Mrc *mrc, guint group, guint granularity)
{
    guint at = group * mrc->granularities->len + granularity;

    if (at >= mrc->curves->len)
        g_ptr_array_set_size(mrc->curves, (gint)at + 1);
    if (!mrc->curves->pdata[at])
        mrc->curves->pdata[at] = curve_new(mrc, g_array_index(mrc->granularities, uint64_t, granularity), group);
    return mrc->curves->pdata[at];
}

static bool check_keys(const Mrc *mrc, GError **error)
{
    for (guint i = 0; i < mrc->curves->len; i++) {
        const MrcCurve *curve = mrc->curves->pdata[i];

        if (curve && curve->whole.stack.count > MOST_KEYS)
            return mt_fail(error, "mrc: more than %u different granules: a --rate or a greater --granularity is needed",
                           MOST_KEYS);
    }
    return true;
}

/* The curve of the accesses of a batch, or with SPLIT_CPL of those that are the user's or not. */
static MrcCurve *curve_of(Mrc *mrc, const struct mt_batch *batch, guint granularity, bool user)
{
    guint vcpu = mrc->split == SPLIT_VCPU ? batch->vcpu % MAX_VCPUS : 0;

    return get_curve(mrc, mrc->split == SPLIT_CPL ? user : vcpu, granularity);
}

static void sample(Mrc *mrc, const struct mt_batch *batch, guint granularity)
{
    bool user = is_user(batch, 0);
    MrcCurve *curve = curve_of(mrc, batch, granularity, user);

    for (size_t i = 0; i < batch->count; i++) {
        if (mrc->split == SPLIT_CPL && is_user(batch, i) != user) {
            user = !user;
            curve = curve_of(mrc, batch, granularity, user);
        }
        sample_access(mrc, curve, batch->address[i], batch->info[i]);
    }
}

/* A group that has no accesses has no curve. */
static void add_all_exactly(Mrc *mrc, const struct mt_batch *batch, guint granularity)
{
    bool has[2] = { mrc->split != SPLIT_CPL, false };

    for (size_t i = 0; mrc->split == SPLIT_CPL && i < batch->count; i++)
        has[is_user(batch, i)] = true;
    for (unsigned user = 0; user < 2; user++)
        if (has[user])
            add_exactly(mrc, curve_of(mrc, batch, granularity, user), batch);
}

static bool mrc_add(void *data, const struct mt_batch *batch, GError **error)
{
    Mrc *mrc = data;

    mrc->records += batch->count;
    for (guint k = 0; batch->count && k < mrc->granularities->len; k++) {
        if (mrc->sampled)
            sample(mrc, batch, k);
        else
            add_all_exactly(mrc, batch, k);
    }
    return check_keys(mrc, error);
}

/* Parts of the work are stretches of time (Q. Niu, J. Dinan, Q. Lu and P. Sadayappan, "PARDA: A Fast Parallel Reuse
 * Distance Analysis Algorithm", 2012). A part finds all distances but those of each key's first use in it. */

static AnalysisDivision mrc_divide(const void *options, unsigned jobs)
{
    const MrcOptions *own = options;

    (void)jobs;
    if (own->rate || mrc_has_size(own))
        return (AnalysisDivision){ .why_not = "a sample is small" };
    return (AnalysisDivision){ .split = ANALYSIS_BY_TIME };
}

static void mrc_take_part(void *data, const AnalysisPart *part)
{
    Mrc *mrc = data;

    mrc->keeps_first_uses = part->number > 0;
}

/* Uses the next part's keys once more: in the order of their first uses, which gives their distances; and, if yet
 * another part follows, in the order of their last uses. */
static void merge_curve(MrcCurve *curve, const MrcCurve *next)
{
    for (guint i = 0; curve->last_uses && i < curve->last_uses->len; i++)
        lru_stack_use(&curve->whole.stack, g_array_index(curve->last_uses, uint64_t, i));
    for (guint i = 0; i < next->first_uses->len; i++) {
        uint64_t distance = lru_stack_use(&curve->whole.stack, g_array_index(next->first_uses, uint64_t, i));

        if (distance != LRU_STACK_NEW)
            curve->whole.buckets[bucket_of(distance)]++;
    }
    g_clear_pointer(&curve->last_uses, g_array_unref);
    curve->last_uses = lru_stack_list(&next->whole.stack);
    for (unsigned i = 0; i < MRC_BUCKETS; i++)
        curve->whole.buckets[i] += next->whole.buckets[i];
    curve->whole.all += next->whole.all;
    curve->uses += next->uses;
}

static bool mrc_merge(void *data, void *other, GError **error)
{
    Mrc *mrc = data, *next = other;
    guint granularities = mrc->granularities->len;

    mrc->records += next->records;
    for (guint i = 0; i < next->curves->len; i++)
        if (next->curves->pdata[i])
            merge_curve(get_curve(mrc, i / granularities, i % granularities), next->curves->pdata[i]);
    return check_keys(mrc, error);
}

/* The beginning. */

static bool set_granularities(Mrc *mrc, const char *text, GError **error)
{
    mrc->granularities = sizes_parse_list(text, MAX_GRANULARITIES);
    if (!mrc->granularities)
        return mt_fail_usage(error, "--granularity must be at most %d sizes such as 64,4K, but '%s' isn't",
                             MAX_GRANULARITIES, text);
    for (guint i = 0; i < mrc->granularities->len; i++) {
        uint64_t bytes = g_array_index(mrc->granularities, uint64_t, i);

        if (bytes & (bytes - 1) || bytes < LEAST_GRANULE || bytes > MOST_GRANULE)
            return mt_fail_usage(
                error, "--granularity must be powers of two from 16 to 1024G, but %" G_GUINT64_FORMAT " isn't", bytes);
    }
    return true;
}

static bool set_sample(Mrc *mrc, GError **error)
{
    const MrcOptions *options = mrc->options;
    char *end = NULL;

    mrc->rate = options->rate ? g_ascii_strtod(options->rate, &end) : 1;
    if (options->rate && (end == options->rate || *end || !(mrc->rate >= 1e-9 && mrc->rate <= 1)))
        return mt_fail_usage(error, "--rate must be from 1e-9 to 1, but '%s' isn't", options->rate);
    if (options->rate && mrc_has_size(options))
        return mt_fail_usage(error, "--rate and --samples can't be given both");
    if (mrc_has_size(options) && options->samples < 8 * MRC_PARTITIONS)
        return mt_fail_usage(error, "--samples must be at least %d, but %d isn't", 8 * MRC_PARTITIONS,
                             options->samples);
    mrc->sampled = mrc_has_size(options) || mrc->rate < 1;
    mrc->limit = mrc->rate < 1 ? (uint64_t)ldexp(mrc->rate, 64) : UINT64_MAX;
    mrc->seed = mix((uint64_t)options->seed);
    return true;
}

static bool set_split(Mrc *mrc, const char *name, GError **error)
{
    if (name && strcmp(name, "cpl") && strcmp(name, "vcpu"))
        return mt_fail_usage(error, "--split must be cpl or vcpu, but '%s' isn't", name);
    mrc->split = !name ? SPLIT_NOT : *name == 'c' ? SPLIT_CPL : SPLIT_VCPU;
    return true;
}

static void mrc_end(void *data)
{
    Mrc *mrc = data;

    g_ptr_array_unref(mrc->curves);
    g_clear_pointer(&mrc->granularities, g_array_unref);
    g_free(mrc);
}

static void *mrc_begin(const AnalysisType *type, const void *options, const Context *context, GError **error)
{
    Mrc *mrc = g_new0(Mrc, 1);

    (void)type;
    (void)context;
    mrc->options = options;
    mrc->curves = g_ptr_array_new_with_free_func(curve_free);
    if (set_granularities(mrc, mrc->options->granularity ? mrc->options->granularity : "64", error) &&
        set_sample(mrc, error) && set_split(mrc, mrc->options->split, error))
        return mrc;
    mrc_end(mrc);
    return NULL;
}

static const MrcOptions defaults = { .samples = MRC_NO_SIZE };
static const AnalysisOption options[] = {
    { "granularity", G_OPTION_ARG_STRING, offsetof(MrcOptions, granularity),
      "Bytes that are cached together, such as 64,4K (default: 64)", "LIST" },
    { "rate", G_OPTION_ARG_STRING, offsetof(MrcOptions, rate), "Look at this share of granules only, such as 0.01",
      "R" },
    { "samples", G_OPTION_ARG_INT, offsetof(MrcOptions, samples), "Look at no more than N granules at once", "N" },
    { "seed", G_OPTION_ARG_INT, offsetof(MrcOptions, seed), "Which granules a sample has (default: 0)", "N" },
    { "split", G_OPTION_ARG_STRING, offsetof(MrcOptions, split), "Curves of kernel and user, or of each vCPU",
      "cpl|vcpu" },
    { NULL },
};

const AnalysisType mrc_analysis = {
    .name = "mrc",
    .summary = "Miss-ratio curves: which share of its uses an LRU cache of each size would miss.",
    .columns = MT_COLUMN_ADDRESS | MT_COLUMN_INFO,
    .options = options,
    .defaults = &defaults,
    .options_bytes = sizeof defaults,
    .begin = mrc_begin,
    .add = mrc_add,
    .describe = mrc_describe,
    .end = mrc_end,
    .divide = mrc_divide,
    .take_part = mrc_take_part,
    .merge = mrc_merge,
};
