/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines that several vCPUs touch: shared_lines.h, for lines of 64 and of 128 bytes. The figures are defined in
 * memory_tracer-sharing(1). */
#include "sharing.h"

#include "../base/error.h"
#include "shared_lines.h"

#define SIZES 2

typedef struct {
    int top;
} SharingOptions;

typedef struct {
    const SharingOptions *options;
    const Context *context;
    SharedLines *lines[SIZES];
    uint64_t accesses;
    bool merged; /* of several traces, whose common order nobody knows */
} Sharing;

static void *sharing_begin(const AnalysisType *type, const void *options, const Context *context, GError **error)
{
    const SharingOptions *own = options;
    Sharing *sharing;

    (void)type;
    if (own->top < 0) {
        mt_fail_usage(error, "--top can't be negative, but %d is.", own->top);
        return NULL;
    }
    sharing = g_new0(Sharing, 1);
    sharing->options = own;
    sharing->context = context;
    for (unsigned i = 0; i < SIZES; i++)
        sharing->lines[i] = shared_lines_new(SHARED_MAX_SHIFT - SIZES + 1 + i);
    return sharing;
}

static void sharing_end(void *data)
{
    Sharing *sharing = data;

    for (unsigned i = 0; i < SIZES; i++)
        shared_lines_free(sharing->lines[i]);
    g_free(sharing);
}

static bool sharing_add(void *data, const struct mt_batch *batch, GError **error)
{
    Sharing *sharing = data;

    if (batch->vcpu >= SHARED_MAX_VCPUS)
        return mt_fail(error, "sharing knows %d vCPUs, but the trace has number %u", SHARED_MAX_VCPUS, batch->vcpu);
    sharing->accesses += batch->count;
    sharing->merged = sharing->merged || batch->input;
    for (unsigned k = 0; k < SIZES; k++)
        shared_lines_add(sharing->lines[k], batch);
    return true;
}

/* Parts of the work: a part has some of the lines. */

static AnalysisDivision sharing_divide(const void *options, unsigned jobs)
{
    (void)options;
    return analysis_divide_by_sets(UINT64_C(1) << 32, jobs);
}

static void sharing_take_part(void *data, const AnalysisPart *part)
{
    Sharing *sharing = data;

    for (unsigned i = 0; i < SIZES; i++)
        shared_lines_take_part(sharing->lines[i], part->number, part->count);
}

/* Each part has seen all accesses. */
static bool sharing_merge(void *data, void *other, GError **error)
{
    Sharing *sharing = data, *next = other;

    (void)error;
    for (unsigned i = 0; i < SIZES; i++)
        shared_lines_merge(sharing->lines[i], next->lines[i]);
    return true;
}

/* Results. */

static void describe_sizes(const Sharing *sharing, Report *report)
{
    static const ReportColumn columns[] = { { "line_bytes", "line", REPORT_COUNT },
                                            { "lines", "lines", REPORT_COUNT },
                                            { "read_shared", "read by several", REPORT_COUNT },
                                            { "true_shared", "truly shared", REPORT_COUNT },
                                            { "false_shared", "falsely shared", REPORT_COUNT },
                                            { "invalidations", "invalidations", REPORT_COUNT },
                                            { "false_invalidations", "of falsely shared", REPORT_COUNT },
                                            { "ping_pongs", "ping-pongs", REPORT_COUNT },
                                            { NULL } };
    ReportTable *table = report_add_table(report, "sizes", "lines by size", columns);

    for (unsigned k = 0; k < SIZES; k++) {
        uint64_t kinds[SHARED_FALSELY + 1] = { 0 }, invalidations[SHARED_FALSELY + 1] = { 0 }, all = 0, ping_pongs = 0;
        size_t slots;
        SharedLine *const *slot = shared_lines_slots(sharing->lines[k], &slots);

        for (size_t i = 0; i < slots; i++)
            if (slot[i]) {
                SharedKind kind = shared_line_kind(slot[i]);

                kinds[kind]++;
                invalidations[kind] += slot[i]->invalidations;
                all += slot[i]->invalidations;
                ping_pongs += slot[i]->ping_pongs;
            }
        report_table_add_row(table, UINT64_C(1) << shared_lines_shift(sharing->lines[k]),
                             (uint64_t)shared_lines_count(sharing->lines[k]), kinds[SHARED_FOR_READING],
                             kinds[SHARED_TRULY], kinds[SHARED_FALSELY], all, invalidations[SHARED_FALSELY],
                             ping_pongs);
    }
}

static void describe_pairs(const Sharing *sharing, Report *report)
{
    static const ReportColumn columns[] = { { "line_bytes", "line", REPORT_COUNT },
                                            { "by", "vCPU", REPORT_COUNT },
                                            { "of", "takes from", REPORT_COUNT },
                                            { "invalidations", "copies", REPORT_COUNT },
                                            { NULL } };
    ReportTable *table = report_add_table(report, "pairs", "who invalidates whose copies", columns);

    for (unsigned k = 0; k < SIZES; k++)
        for (unsigned by = 0; by < SHARED_MAX_VCPUS; by++)
            for (unsigned of = 0; of < SHARED_MAX_VCPUS; of++) {
                uint64_t count = shared_lines_pair(sharing->lines[k], by, of);

                if (count)
                    report_table_add_row(table, UINT64_C(1) << shared_lines_shift(sharing->lines[k]), (uint64_t)by,
                                         (uint64_t)of, count);
            }
}

static uint64_t count_accesses(const SharedLine *line)
{
    uint64_t accesses = 0;

    for (const Sharer *sharer = line->sharers; sharer; sharer = sharer->next)
        accesses += sharer->loads + sharer->stores;
    return accesses;
}

static gint compare_lines(gconstpointer a, gconstpointer b)
{
    const SharedLine *one = *(SharedLine *const *)a, *other = *(SharedLine *const *)b;
    uint64_t ones = count_accesses(one), others = count_accesses(other);

    if (one->invalidations != other->invalidations)
        return one->invalidations < other->invalidations ? 1 : -1;
    if (ones != others)
        return ones < others ? 1 : -1;
    return one->number < other->number ? -1 : one->number > other->number;
}

/* Those that are shared and written to, by invalidations. */
static GPtrArray *list_top(const SharedLines *lines, guint top)
{
    GPtrArray *list = g_ptr_array_new();
    size_t slots;
    SharedLine *const *slot = shared_lines_slots(lines, &slots);

    for (size_t i = 0; i < slots; i++)
        if (slot[i] && shared_line_kind(slot[i]) >= SHARED_TRULY)
            g_ptr_array_add(list, slot[i]);
    g_ptr_array_sort(list, compare_lines);
    g_ptr_array_set_size(list, (gint)MIN(list->len, top));
    return list;
}

static gint compare_sharers(gconstpointer a, gconstpointer b)
{
    const Sharer *one = *(const Sharer *const *)a, *other = *(const Sharer *const *)b;

    return (gint)one->vcpu - (gint)other->vcpu;
}

static uint64_t pc_of(const Sharing *sharing, const SharedCandidate *candidate)
{
    const struct mt_instruction *instruction =
        candidate->votes ? context_instruction(sharing->context, candidate->instruction) : NULL;

    return instruction ? instruction->pc : 0;
}

/* To be freed. */
static char *function_of(const Sharing *sharing, const SharedCandidate *candidate)
{
    uint64_t offset;
    const char *name = candidate->votes ? context_function(sharing->context, candidate->instruction, &offset) : NULL;

    return name ? g_strdup_printf("%s+0x%" G_GINT64_MODIFIER "x", name, offset) : g_strdup("");
}

static void add_sides(const Sharing *sharing, ReportTable *table, const SharedLine *line, unsigned shift)
{
    g_autoptr(GPtrArray) sharers = g_ptr_array_new();

    for (Sharer *sharer = line->sharers; sharer; sharer = sharer->next)
        g_ptr_array_add(sharers, sharer);
    g_ptr_array_sort(sharers, compare_sharers);
    for (guint i = 0; i < sharers->len; i++) {
        const Sharer *sharer = sharers->pdata[i];
        g_autofree char *loader = function_of(sharing, &sharer->loader),
                        *storer = function_of(sharing, &sharer->storer), *read = g_strdup_printf("%x", sharer->read),
                        *written = g_strdup_printf("%x", sharer->written);

        report_table_add_row(table, UINT64_C(1) << shift, line->number << shift, (uint64_t)sharer->vcpu, sharer->loads,
                             sharer->stores, read, written, pc_of(sharing, &sharer->loader), loader,
                             pc_of(sharing, &sharer->storer), storer);
    }
}

static void add_words(ReportTable *table, const SharedLine *line, unsigned shift)
{
    uint32_t words = shared_line_true_words(line);

    for (unsigned word = 0; word < 32; word++) {
        uint64_t vcpus = 0, writers = 0;

        if (!(words >> word & 1))
            continue;
        for (const Sharer *sharer = line->sharers; sharer; sharer = sharer->next) {
            vcpus += (sharer->read | sharer->written) >> word & 1;
            writers += sharer->written >> word & 1;
        }
        report_table_add_row(table, (line->number << shift) + (word << SHARED_WORD_SHIFT), vcpus, writers);
    }
}

static void describe_lines(const Sharing *sharing, Report *report)
{
    static const ReportColumn of_lines[] = { { "line_bytes", "line", REPORT_COUNT },
                                             { "address", "address", REPORT_ADDRESS },
                                             { "vcpus", "vCPUs", REPORT_COUNT },
                                             { "accesses", "accesses", REPORT_COUNT },
                                             { "invalidations", "invalidations", REPORT_COUNT },
                                             { "ping_pongs", "ping-pongs", REPORT_COUNT },
                                             { "kind", "shared", REPORT_TEXT },
                                             { NULL } };
    static const ReportColumn of_sides[] = { { "line_bytes", "line", REPORT_COUNT },
                                             { "address", "address", REPORT_ADDRESS },
                                             { "vcpu", "vCPU", REPORT_COUNT },
                                             { "loads", "loads", REPORT_COUNT },
                                             { "stores", "stores", REPORT_COUNT },
                                             { "words_read", "words read", REPORT_TEXT },
                                             { "words_written", "written", REPORT_TEXT },
                                             { "loader", "loaded at", REPORT_ADDRESS },
                                             { "loading_function", "in", REPORT_TEXT },
                                             { "storer", "stored at", REPORT_ADDRESS },
                                             { "storing_function", "in", REPORT_TEXT },
                                             { NULL } };
    static const ReportColumn of_words[] = { { "address", "word", REPORT_ADDRESS },
                                             { "vcpus", "vCPUs", REPORT_COUNT },
                                             { "writers", "of these, writing", REPORT_COUNT },
                                             { NULL } };
    ReportTable *lines = report_add_table(report, "top_lines", "lines that are invalidated most", of_lines);
    ReportTable *sides = report_add_table(report, "sides", "what each vCPU does with them", of_sides);
    ReportTable *words = report_add_table(report, "words", "truly shared words of the 64-byte lines", of_words);

    for (unsigned k = 0; k < SIZES; k++) {
        unsigned shift = shared_lines_shift(sharing->lines[k]);
        g_autoptr(GPtrArray) top = list_top(sharing->lines[k], (guint)sharing->options->top);

        for (guint i = 0; i < top->len; i++) {
            const SharedLine *line = top->pdata[i];
            uint64_t vcpus = 0;

            for (const Sharer *sharer = line->sharers; sharer; sharer = sharer->next)
                vcpus++;
            report_table_add_row(lines, UINT64_C(1) << shift, line->number << shift, vcpus, count_accesses(line),
                                 line->invalidations, line->ping_pongs,
                                 shared_line_kind(line) == SHARED_TRULY ? "truly" : "falsely");
            add_sides(sharing, sides, line, shift);
            if (!k)
                add_words(words, line, shift);
        }
    }
}

static void sharing_describe(void *data, Report *report)
{
    const Sharing *sharing = data;
    bool exact = !sharing->merged && context_order_is_exact(sharing->context);

    report_add_count(report, "accesses", "accesses", sharing->accesses);
    report_add_text(report, "order", "order between vCPUs",
                    exact ? "exact" : "estimate: not recorded with --strict-order or --icount");
    report_add_flag(report, "order_is_exact", NULL, exact);
    describe_sizes(sharing, report);
    describe_pairs(sharing, report);
    describe_lines(sharing, report);
}

static const SharingOptions defaults = { .top = 10 };
static const AnalysisOption options[] = {
    { "top", G_OPTION_ARG_INT, offsetof(SharingOptions, top), "How many lines of each size are told of (default: 10)",
      "N" },
    { NULL },
};

const AnalysisType sharing_analysis = {
    .name = "sharing",
    .summary = "Which lines several vCPUs share, truly or falsely, and who invalidates whose copies.",
    .columns = MT_COLUMN_ADDRESS | MT_COLUMN_INFO | MT_COLUMN_INSTRUCTION,
    .options = options,
    .defaults = &defaults,
    .options_bytes = sizeof defaults,
    .begin = sharing_begin,
    .add = sharing_add,
    .describe = sharing_describe,
    .end = sharing_end,
    .divide = sharing_divide,
    .take_part = sharing_take_part,
    .merge = sharing_merge,
};
