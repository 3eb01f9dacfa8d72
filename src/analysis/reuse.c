/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How soon memory is used again, and by which strides, by instruction and function. Exact; the figures are defined in
 * memory_tracer-reuse(1). Memory: at most 180 bytes for each distinct granule, 900 for each instruction that made an
 * access, and 16 for each instruction and vCPU.
 */
#include "reuse.h"

#include <string.h>

#include "../base/error.h"
#include "../base/sizes.h"
#include "cache_model.h"
#include "line_counts.h"
#include "lru_stack.h"
#include "reuse_counts.h"

#define LEAST_GRANULE 8
#define MOST_GRANULE (UINT64_C(1) << 30)
#define DEFAULT_TOP 10

typedef struct {
    char *granularity;
    int top;
} ReuseOptions;

/* The last access of an instruction on a vCPU, and its distance from the one before. */
typedef struct {
    uint64_t address;
    int64_t stride;
} LastAccess;

typedef struct {
    LastAccess *last; /* by the instruction's number */
    uint8_t *known;   /* how many of LastAccess's two members are known: 0, 1 or 2 */
    uint32_t room;
} Vcpu;

typedef struct {
    const ReuseOptions *options;
    const Context *context;
    unsigned shift;
    uint64_t records;
    LruStack stack;   /* granules, mixed */
    LineCounts times; /* of each granule: the number of the last record that used it, from 1 on */
    uint64_t last_granule;
    uint64_t *last_time;  /* its time; NULL: there is none yet */
    ReuseCounts **counts; /* by the instruction's number, or NULL */
    uint32_t room;
    Vcpu vcpus[CACHE_MAX_VCPUS];
} Reuse;

static void *reuse_begin(const AnalysisType *type, const void *options, const Context *context, GError **error)
{
    const ReuseOptions *own = options;
    uint64_t granularity = 64;
    Reuse *reuse;

    (void)type;
    if (own->granularity && !(sizes_parse(own->granularity, &granularity) && granularity >= LEAST_GRANULE &&
                              granularity <= MOST_GRANULE && !(granularity & (granularity - 1)))) {
        mt_fail_usage(error, "--granularity must be a power of two from 8 to 1G, but '%s' isn't", own->granularity);
        return NULL;
    }
    if (own->top < 0) {
        mt_fail_usage(error, "--top can't be negative, but %d is.", own->top);
        return NULL;
    }
    reuse = g_new0(Reuse, 1);
    reuse->options = own;
    reuse->context = context;
    reuse->shift = (unsigned)__builtin_ctzll(granularity);
    lru_stack_init(&reuse->stack);
    return reuse;
}

static void reuse_end(void *data)
{
    Reuse *reuse = data;

    lru_stack_clear(&reuse->stack);
    line_counts_clear(&reuse->times);
    for (uint32_t i = 0; i < reuse->room; i++)
        g_free(reuse->counts[i]);
    g_free(reuse->counts);
    for (unsigned i = 0; i < CACHE_MAX_VCPUS; i++) {
        g_free(reuse->vcpus[i].last);
        g_free(reuse->vcpus[i].known);
    }
    g_free(reuse);
}

/* Accesses. */

static void make_counts(Reuse *reuse, uint32_t instruction)
{
    uint32_t room = MAX(2 * reuse->room, instruction + 1024);

    if (instruction >= reuse->room) {
        reuse->counts = g_renew(ReuseCounts *, reuse->counts, room);
        memset(reuse->counts + reuse->room, 0, (room - reuse->room) * sizeof *reuse->counts);
        reuse->room = room;
    }
    if (!reuse->counts[instruction])
        reuse->counts[instruction] = g_new0(ReuseCounts, 1);
}

static inline ReuseCounts *get_counts(Reuse *reuse, uint32_t instruction)
{
    if (G_UNLIKELY(instruction >= reuse->room || !reuse->counts[instruction]))
        make_counts(reuse, instruction);
    return reuse->counts[instruction];
}

static void make_vcpu_room(Vcpu *vcpu, uint32_t instruction)
{
    uint32_t room = MAX(2 * vcpu->room, instruction + 1024);

    vcpu->last = g_renew(LastAccess, vcpu->last, room);
    vcpu->known = g_renew(uint8_t, vcpu->known, room);
    memset(vcpu->known + vcpu->room, 0, room - vcpu->room);
    vcpu->room = room;
}

static inline void add_stride(Vcpu *vcpu, ReuseCounts *counts, uint32_t instruction, uint64_t address)
{
    LastAccess *last;
    int64_t stride;
    ReusePattern pattern = REUSE_IRREGULAR;

    if (G_UNLIKELY(instruction >= vcpu->room))
        make_vcpu_room(vcpu, instruction);
    last = &vcpu->last[instruction];
    if (!vcpu->known[instruction]) {
        vcpu->known[instruction] = 1;
        last->address = address;
        counts->pattern[REUSE_START]++;
        return;
    }
    stride = (int64_t)(address - last->address);
    if (!stride) {
        pattern = REUSE_SAME;
    } else if (vcpu->known[instruction] == 2 && stride == last->stride) {
        pattern = REUSE_STEADY;
        reuse_counts_add_stride(counts, stride, 1);
    }
    counts->pattern[pattern]++;
    vcpu->known[instruction] = 2;
    *last = (LastAccess){ address, stride };
}

/* Mixes the lower bits of a granule's number. It is one to one: multiplications by odd numbers and xors with shifts can
 * be undone. */
static inline uint64_t mix(uint64_t granule)
{
    granule *= UINT64_C(0x9e3779b97f4a7c15);
    return granule ^ granule >> 32;
}

static inline void add_use(Reuse *reuse, ReuseCounts *counts, uint64_t granule)
{
    uint64_t now = reuse->records, distance;

    if (reuse->last_time && granule == reuse->last_granule) {
        counts->distance[0]++;
        counts->interval[reuse_bucket(now - *reuse->last_time)]++;
        *reuse->last_time = now;
        return;
    }
    distance = lru_stack_use(&reuse->stack, mix(granule));
    reuse->last_granule = granule;
    reuse->last_time = line_counts_get(&reuse->times, granule);
    if (distance == LRU_STACK_NEW) {
        counts->first++;
    } else {
        counts->distance[reuse_bucket(distance)]++;
        counts->interval[reuse_bucket(now - *reuse->last_time)]++;
    }
    *reuse->last_time = now;
}

static bool reuse_add(void *data, const struct mt_batch *batch, GError **error)
{
    Reuse *reuse = data;
    Vcpu *vcpu = &reuse->vcpus[batch->vcpu % CACHE_MAX_VCPUS];
    unsigned shift = reuse->shift;
    uint64_t last_possible = UINT64_MAX >> shift;

    if (reuse->stack.count + 3 * batch->count > LRU_STACK_MOST_KEYS)
        return mt_fail(error, "reuse: there are too many distinct granules (take a larger --granularity)");
    for (size_t i = 0; i < batch->count; i++) {
        uint64_t address = batch->address[i], granule = address >> shift;
        uint64_t more = (((address + mt_size(batch->info[i]) - 1) >> shift) - granule) & last_possible;
        uint32_t instruction = batch->instruction ? batch->instruction[i] : 0;
        ReuseCounts *counts = get_counts(reuse, instruction);

        counts->accesses++;
        reuse->records++;
        add_stride(vcpu, counts, instruction, address);
        add_use(reuse, counts, granule);
        for (; G_UNLIKELY(more); more--)
            add_use(reuse, counts, granule = (granule + 1) & last_possible);
    }
    return true;
}

/* Results. */

typedef struct {
    uint32_t number; /* of the instruction, or of the first one of the function */
    const char *function;
    uint64_t offset;
    ReuseCounts counts;
} Place;

static gint compare_places(gconstpointer a, gconstpointer b)
{
    const Place *one = a, *other = b;

    if (one->counts.accesses != other->counts.accesses)
        return one->counts.accesses < other->counts.accesses ? 1 : -1;
    return one->number < other->number ? -1 : one->number > other->number;
}

static double percent(uint64_t part, uint64_t all)
{
    return all ? 100.0 * (double)part / (double)all : 0;
}

static ReuseCounts sum_counts(const Reuse *reuse)
{
    ReuseCounts all = { 0 };

    for (uint32_t i = 0; i < reuse->room; i++)
        if (reuse->counts[i])
            reuse_counts_add(&all, reuse->counts[i]);
    return all;
}

static uint64_t sum_buckets(const uint64_t *buckets)
{
    uint64_t all = 0;

    for (unsigned i = 0; i < REUSE_BUCKETS; i++)
        all += buckets[i];
    return all;
}

static void describe_buckets(const uint64_t *buckets, const char *name, const char *label, Report *report)
{
    static const ReportColumn columns[] = { { "below", "below", REPORT_COUNT },
                                            { "uses", "uses", REPORT_COUNT },
                                            { "percent", "%", REPORT_REAL },
                                            { "percent_so_far", "so far", REPORT_REAL },
                                            { NULL } };
    ReportTable *table = report_add_table(report, name, label, columns);
    uint64_t all = sum_buckets(buckets), so_far = 0;

    for (unsigned i = 0; i < REUSE_BUCKETS && so_far < all; i++) {
        so_far += buckets[i];
        if (so_far)
            report_table_add_row(table, UINT64_C(1) << i, buckets[i], percent(buckets[i], all), percent(so_far, all));
    }
}

static GArray *list_instructions(const Reuse *reuse)
{
    GArray *list = g_array_new(FALSE, FALSE, sizeof(Place));

    for (uint32_t number = 1; number < reuse->room; number++) {
        Place place = { .number = number };

        if (!reuse->counts[number])
            continue;
        place.counts = *reuse->counts[number];
        place.function = context_function(reuse->context, number, &place.offset);
        g_array_append_val(list, place);
    }
    g_array_sort(list, compare_places);
    return list;
}

static GArray *list_functions(const GArray *instructions)
{
    g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal);
    GArray *list = g_array_new(FALSE, FALSE, sizeof(Place));

    for (guint i = 0; i < instructions->len; i++) {
        const Place *place = &g_array_index(instructions, Place, i);
        guint at = place->function ? GPOINTER_TO_UINT(g_hash_table_lookup(known, place->function)) : 0;

        if (!place->function)
            continue;
        if (at) {
            reuse_counts_add(&g_array_index(list, Place, at - 1).counts, &place->counts);
        } else {
            g_array_append_val(list, *place);
            g_hash_table_insert(known, (char *)place->function, GUINT_TO_POINTER(list->len));
        }
    }
    g_array_sort(list, compare_places);
    return list;
}

#define COLUMNS_OF_PLACES                                                                                              \
    { "accesses", "accesses", REPORT_COUNT }, { "first", "first uses", REPORT_COUNT },                                 \
        { "median_distance", "distance <", REPORT_COUNT }, { "median_interval", "interval <", REPORT_COUNT },          \
        { "same_percent", "same %", REPORT_REAL }, { "steady_percent", "steady %", REPORT_REAL },                      \
        { "irregular_percent", "irregular %", REPORT_REAL }, { "stride", "stride", REPORT_TEXT },                      \
    {                                                                                                                  \
        "function", "in", REPORT_TEXT                                                                                  \
    }

static void add_cells(ReportTable *table, bool is_function, uint64_t pc, const ReuseCounts *counts, const char *name)
{
    uint64_t median_distance = reuse_counts_median(counts->distance);
    uint64_t median_interval = reuse_counts_median(counts->interval);
    double same = percent(counts->pattern[REUSE_SAME], counts->accesses);
    double steady = percent(counts->pattern[REUSE_STEADY], counts->accesses);
    double irregular = percent(counts->pattern[REUSE_IRREGULAR], counts->accesses);
    g_autofree char *stride = NULL;
    int64_t most;

    stride = reuse_counts_stride(counts, &most) ? g_strdup_printf("%" G_GINT64_FORMAT, most) : g_strdup("");
    if (is_function)
        report_table_add_row(table, counts->accesses, counts->first, median_distance, median_interval, same, steady,
                             irregular, stride, name);
    else
        report_table_add_row(table, pc, counts->accesses, counts->first, median_distance, median_interval, same, steady,
                             irregular, stride, name);
}

static void describe_places(const Reuse *reuse, Report *report)
{
    static const ReportColumn of_instructions[] = { { "pc", "instruction", REPORT_ADDRESS },
                                                    COLUMNS_OF_PLACES,
                                                    { NULL } };
    static const ReportColumn of_functions[] = { COLUMNS_OF_PLACES, { NULL } };
    g_autoptr(GArray) instructions = list_instructions(reuse), functions = list_functions(instructions);
    ReportTable *table =
        report_add_table(report, "top_instructions", "instructions with most accesses", of_instructions);

    for (guint i = 0; i < instructions->len && i < (guint)reuse->options->top; i++) {
        const Place *place = &g_array_index(instructions, Place, i);
        const struct mt_instruction *instruction = context_instruction(reuse->context, place->number);
        g_autofree char *name = place->function
                                    ? g_strdup_printf("%s+0x%" G_GINT64_MODIFIER "x", place->function, place->offset)
                                    : g_strdup("");

        add_cells(table, false, instruction ? instruction->pc : 0, &place->counts, name);
    }
    table = report_add_table(report, "top_functions", "functions with most accesses", of_functions);
    for (guint i = 0; i < functions->len && i < (guint)reuse->options->top; i++) {
        const Place *place = &g_array_index(functions, Place, i);

        add_cells(table, true, 0, &place->counts, place->function);
    }
}

static void reuse_describe(void *data, Report *report)
{
    const Reuse *reuse = data;
    ReuseCounts all = sum_counts(reuse);
    uint64_t reuses = sum_buckets(all.distance);

    report_add_count(report, "accesses", "accesses", all.accesses);
    report_add_count(report, "granularity", "bytes of a granule", UINT64_C(1) << reuse->shift);
    report_add_count(report, "uses", "uses of granules", all.first + reuses);
    report_add_share(report, "first", "first uses", all.first, all.first + reuses);
    report_add_share(report, "same", "same address", all.pattern[REUSE_SAME], all.accesses);
    report_add_share(report, "steady", "steady strides", all.pattern[REUSE_STEADY], all.accesses);
    report_add_share(report, "irregular", "irregular", all.pattern[REUSE_IRREGULAR], all.accesses);
    report_add_share(report, "start", "of an instruction the first", all.pattern[REUSE_START], all.accesses);
    describe_buckets(all.distance, "distances", "reuse distances (other granules used since)", report);
    describe_buckets(all.interval, "intervals", "reuse intervals (accesses since)", report);
    if (context_has_instructions(reuse->context))
        describe_places(reuse, report);
}

static const ReuseOptions defaults = { .top = DEFAULT_TOP };
static const AnalysisOption options[] = {
    { "granularity", G_OPTION_ARG_STRING, offsetof(ReuseOptions, granularity),
      "Bytes of what is used again: a power of two (default: 64)", "BYTES" },
    { "top", G_OPTION_ARG_INT, offsetof(ReuseOptions, top), "Rows of the tables (default: 10)", "N" },
    { NULL },
};

const AnalysisType reuse_analysis = {
    .name = "reuse",
    .summary = "How soon memory is used again, and by which strides, by instruction and function.",
    .columns = MT_COLUMN_ADDRESS | MT_COLUMN_INFO | MT_COLUMN_INSTRUCTION,
    .options = options,
    .defaults = &defaults,
    .options_bytes = sizeof defaults,
    .begin = reuse_begin,
    .add = reuse_add,
    .describe = reuse_describe,
    .end = reuse_end,
};
