/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many sizes and ways of one LRU cache in one pass: all-associativity simulation (M. D. Hill and A. J. Smith,
 * "Evaluating Associativity in CPU Caches", 1989). Exact. Memory: 8 bytes for each line of the largest cache of each
 * number of sets.
 *
 * For each number of sets there is a stack of lines for each set, as deep as the most ways that are asked for. The
 * depth at which a line is found says for which ways it hits. Numbers of sets are visited from few to many: the line
 * that a set has used last is also the last one used of each smaller set that it is in. So after a hit at the top,
 * larger numbers of sets need neither a look nor a change.
 */
#include "sweep.h"

#include "../base/error.h"
#include "../base/sizes.h"

#define MAX_VALUES 64 /* of each option */
#define MAX_BYTES (UINT64_C(4) << 30)
#define LEAST_LINE 16
#define MOST_LINE 4096
#define MAX_WAYS 65536
#define NO_LINE UINT64_MAX /* no line's number: lines have at least 2 bytes */

typedef struct {
    char *lines, *sizes, *ways;
} SweepOptions;

/* The caches of some line size and number of sets. */
typedef struct {
    unsigned set_bits;
    size_t depth;     /* the most ways */
    uint64_t *stacks; /* `depth` lines (their numbers plus 1) for each set, the last one used first; 0: none */
    uint64_t *hits;   /* by depth, without those at the top; the last one: misses of all depths */
} Sets;

typedef struct {
    unsigned line_shift;
    GArray *sets; /* Sets, from few to many */
    uint64_t
        *hits_above;    /* hits at the top, by the first index in `sets` where that was so: it was so behind it, too */
    uint64_t last_line; /* of the last access */
    uint64_t accesses;
} Lines;

/* One of the caches that were asked for. */
typedef struct {
    uint64_t bytes, ways;
    unsigned line, sets; /* indexes of its Lines and Sets */
} Configuration;

typedef struct {
    GArray *lines;          /* Lines */
    GArray *configurations; /* in the order of the options */
    uint64_t records;
    AnalysisPart part;
} Sweep;

static void clear_sets(gpointer data)
{
    Sets *sets = data;

    g_free(sets->stacks);
    g_free(sets->hits);
}

static void clear_lines(gpointer data)
{
    Lines *lines = data;

    g_array_unref(lines->sets);
    g_free(lines->hits_above);
}

static void sweep_end(void *data)
{
    Sweep *sweep = data;

    g_array_unref(sweep->lines);
    g_array_unref(sweep->configurations);
    g_free(sweep);
}

/* The index of the Sets with this many bits in the list, or where it would be inserted. */
static guint find_sets(const Lines *lines, unsigned set_bits)
{
    guint i = 0;

    while (i < lines->sets->len && g_array_index(lines->sets, Sets, i).set_bits < set_bits)
        i++;
    return i;
}

/* Adds the cache if there is one of this size and ways: its sets must be a power of two. */
static void add_configuration(Sweep *sweep, guint line, uint64_t bytes, uint64_t ways)
{
    Lines *lines = &g_array_index(sweep->lines, Lines, line);
    uint64_t way_bytes = ways << lines->line_shift, sets = bytes / way_bytes;
    Configuration configuration = { .bytes = bytes, .ways = ways, .line = line };
    Sets fresh = { .set_bits = sets ? (unsigned)__builtin_ctzll(sets) : 0 };
    guint at;

    if (!sets || bytes % way_bytes || sets & (sets - 1))
        return;
    at = find_sets(lines, fresh.set_bits);
    if (at == lines->sets->len || g_array_index(lines->sets, Sets, at).set_bits != fresh.set_bits)
        g_array_insert_val(lines->sets, at, fresh);
    g_array_index(lines->sets, Sets, at).depth = MAX(g_array_index(lines->sets, Sets, at).depth, ways);
    configuration.sets = fresh.set_bits; /* becomes the index when all are there */
    g_array_append_val(sweep->configurations, configuration);
}

static void allocate(Lines *lines)
{
    lines->hits_above = g_new0(uint64_t, lines->sets->len);
    lines->last_line = NO_LINE;
    for (guint i = 0; i < lines->sets->len; i++) {
        Sets *sets = &g_array_index(lines->sets, Sets, i);

        sets->stacks = g_new0(uint64_t, sets->depth << sets->set_bits);
        sets->hits = g_new0(uint64_t, sets->depth + 1);
    }
}

static bool parse_list(const char *name, const char *text, uint64_t least, uint64_t most, GArray **list, GError **error)
{
    *list = sizes_parse_list(text, MAX_VALUES);
    if (!*list)
        return mt_fail_usage(error, "--%s must be at most %d values such as 4K..16M or 1,2,4, but '%s' isn't", name,
                             MAX_VALUES, text);
    for (guint i = 0; i < (*list)->len; i++) {
        uint64_t value = g_array_index(*list, uint64_t, i);

        if (value < least || value > most)
            return mt_fail_usage(
                error, "--%s: %" G_GUINT64_FORMAT " isn't in range [%" G_GUINT64_FORMAT ", %" G_GUINT64_FORMAT "]",
                name, value, least, most);
    }
    return true;
}

static bool add_lines(Sweep *sweep, const GArray *list, GError **error)
{
    for (guint i = 0; i < list->len; i++) {
        uint64_t bytes = g_array_index(list, uint64_t, i);
        Lines lines = { .line_shift = (unsigned)__builtin_ctzll(bytes) };

        if (bytes & (bytes - 1))
            return mt_fail_usage(error, "--lines must be powers of two, but %" G_GUINT64_FORMAT " isn't", bytes);
        lines.sets = g_array_new(FALSE, TRUE, sizeof(Sets));
        g_array_set_clear_func(lines.sets, clear_sets);
        g_array_append_val(sweep->lines, lines);
    }
    return true;
}

static bool set_up(Sweep *sweep, const SweepOptions *options, GError **error)
{
    g_autoptr(GArray) lines = NULL, sizes = NULL, ways = NULL;

    if (!parse_list("lines", options->lines ? options->lines : "64", LEAST_LINE, MOST_LINE, &lines, error) ||
        !parse_list("sizes", options->sizes ? options->sizes : "4K..16M", 1, MAX_BYTES, &sizes, error) ||
        !parse_list("ways", options->ways ? options->ways : "1..16", 1, MAX_WAYS, &ways, error) ||
        !add_lines(sweep, lines, error))
        return false;
    for (guint line = 0; line < lines->len; line++) {
        for (guint i = 0; i < sizes->len; i++)
            for (guint k = 0; k < ways->len; k++)
                add_configuration(sweep, line, g_array_index(sizes, uint64_t, i), g_array_index(ways, uint64_t, k));
        allocate(&g_array_index(sweep->lines, Lines, line));
    }
    for (guint i = 0; i < sweep->configurations->len; i++) {
        Configuration *configuration = &g_array_index(sweep->configurations, Configuration, i);

        configuration->sets = find_sets(&g_array_index(sweep->lines, Lines, configuration->line), configuration->sets);
    }
    return sweep->configurations->len ||
           mt_fail_usage(error, "no cache has these sizes, ways and lines: size / (ways * line) must be a power of "
                                "two");
}

static void *sweep_begin(const AnalysisType *type, const void *options, const Context *context, GError **error)
{
    Sweep *sweep = g_new0(Sweep, 1);

    (void)type;
    (void)context;
    sweep->lines = g_array_new(FALSE, TRUE, sizeof(Lines));
    g_array_set_clear_func(sweep->lines, clear_lines);
    sweep->configurations = g_array_new(FALSE, TRUE, sizeof(Configuration));
    if (set_up(sweep, options, error))
        return sweep;
    sweep_end(sweep);
    return NULL;
}

/* Moves the line to the top of its stack, and counts how deep it was. Returns whether it was at the top already. */
static bool use(Sets *sets, uint64_t line)
{
    uint64_t *stack = sets->stacks + (line & ((UINT64_C(1) << sets->set_bits) - 1)) * sets->depth;
    uint64_t wanted = line + 1, above = stack[0];
    size_t at;

    if (above == wanted)
        return true;
    stack[0] = wanted;
    for (at = 1; at < sets->depth; at++) {
        uint64_t here = stack[at];

        stack[at] = above;
        if (here == wanted)
            break;
        above = here;
    }
    sets->hits[at]++;
    return false;
}

static void add_line(Lines *lines, uint64_t line)
{
    Sets *sets = (Sets *)lines->sets->data;
    guint count = lines->sets->len, i = 0;

    lines->last_line = line;
    while (i < count && !use(&sets[i], line))
        i++;
    if (i < count)
        lines->hits_above[i]++;
}

/* An access to the line of the access before hits at the top of all stacks, so it is only counted. */
static void add_batch(Lines *lines, const struct mt_batch *batch, const AnalysisPart part)
{
    unsigned shift = lines->line_shift;
    uint64_t last_possible = UINT64_MAX >> shift;

    for (size_t i = 0; i < batch->count; i++) {
        uint64_t address = batch->address[i], line = address >> shift;
        uint64_t more = (((address + mt_size(batch->info[i]) - 1) >> shift) - line) & last_possible;

        if (analysis_part_has(&part, line)) {
            lines->accesses++;
            if (line != lines->last_line)
                add_line(lines, line);
            else
                lines->hits_above[0]++;
        }
        for (; G_UNLIKELY(more); more--) {
            line = (line + 1) & last_possible;
            if (!analysis_part_has(&part, line))
                continue;
            lines->accesses++;
            add_line(lines, line);
        }
    }
}

static bool sweep_add(void *data, const struct mt_batch *batch, GError **error)
{
    Sweep *sweep = data;

    (void)error;
    sweep->records += batch->count;
    for (guint i = 0; i < sweep->lines->len; i++)
        if (g_array_index(sweep->lines, Lines, i).sets->len)
            add_batch(&g_array_index(sweep->lines, Lines, i), batch, sweep->part);
    return true;
}

/* Parts of the work: a part has some of the sets of each cache, those of the same lines. */

static AnalysisDivision sweep_divide(const void *options, unsigned jobs)
{
    Sweep *sweep = sweep_begin(&sweep_analysis, options, NULL, NULL);
    unsigned set_bits = UINT_MAX;

    if (!sweep)
        return (AnalysisDivision){ 0 };
    for (guint i = 0; i < sweep->lines->len; i++) {
        const Lines *lines = &g_array_index(sweep->lines, Lines, i);

        if (lines->sets->len)
            set_bits = MIN(set_bits, g_array_index(lines->sets, Sets, 0).set_bits);
    }
    sweep_end(sweep);
    return analysis_divide_by_sets(UINT64_C(1) << set_bits, jobs);
}

static void sweep_take_part(void *data, const AnalysisPart *part)
{
    Sweep *sweep = data;

    sweep->part = *part;
}

static bool sweep_merge(void *data, void *other, GError **error)
{
    Sweep *sweep = data;
    const Sweep *next = other;

    (void)error;
    for (guint i = 0; i < sweep->lines->len; i++) {
        Lines *lines = &g_array_index(sweep->lines, Lines, i);
        const Lines *more = &g_array_index(next->lines, Lines, i);

        lines->accesses += more->accesses;
        for (guint k = 0; k < lines->sets->len; k++) {
            Sets *sets = &g_array_index(lines->sets, Sets, k);

            lines->hits_above[k] += more->hits_above[k];
            for (size_t depth = 0; depth <= sets->depth; depth++)
                sets->hits[depth] += g_array_index(more->sets, Sets, k).hits[depth];
        }
    }
    return true;
}

static uint64_t count_hits(const Lines *lines, const Configuration *configuration)
{
    const Sets *sets = &g_array_index(lines->sets, Sets, configuration->sets);
    uint64_t hits = 0;

    for (guint i = 0; i <= configuration->sets; i++)
        hits += lines->hits_above[i];
    for (size_t depth = 1; depth < configuration->ways; depth++)
        hits += sets->hits[depth];
    return hits;
}

static void sweep_describe(void *data, Report *report)
{
    static const ReportColumn columns[] = { { "line", "line", REPORT_COUNT },
                                            { "bytes", "bytes", REPORT_COUNT },
                                            { "ways", "ways", REPORT_COUNT },
                                            { "sets", "sets", REPORT_COUNT },
                                            { "accesses", "accesses", REPORT_COUNT },
                                            { "hits", "hits", REPORT_COUNT },
                                            { "misses", "misses", REPORT_COUNT },
                                            { "miss_percent", "misses %", REPORT_REAL },
                                            { NULL } };
    const Sweep *sweep = data;
    ReportTable *table;

    report_add_count(report, "accesses", "accesses", sweep->records);
    table = report_add_table(report, "configurations", "caches", columns);
    for (guint i = 0; i < sweep->configurations->len; i++) {
        const Configuration *configuration = &g_array_index(sweep->configurations, Configuration, i);
        const Lines *lines = &g_array_index(sweep->lines, Lines, configuration->line);
        uint64_t hits = count_hits(lines, configuration), misses = lines->accesses - hits;

        report_table_add_row(table, UINT64_C(1) << lines->line_shift, configuration->bytes, configuration->ways,
                             UINT64_C(1) << g_array_index(lines->sets, Sets, configuration->sets).set_bits,
                             lines->accesses, hits, misses,
                             lines->accesses ? 100.0 * (double)misses / (double)lines->accesses : 0.0);
    }
}

static const SweepOptions defaults = { 0 };
static const AnalysisOption options[] = {
    { "lines", G_OPTION_ARG_STRING, offsetof(SweepOptions, lines), "Bytes of a line (default: 64)", "LIST" },
    { "sizes", G_OPTION_ARG_STRING, offsetof(SweepOptions, sizes), "Sizes of the caches (default: 4K..16M)", "LIST" },
    { "ways", G_OPTION_ARG_STRING, offsetof(SweepOptions, ways), "Their ways (default: 1..16)", "LIST" },
    { NULL },
};

const AnalysisType sweep_analysis = {
    .name = "sweep",
    .summary = "The misses of many sizes and ways of one LRU cache, in one pass. A LIST is as 32K,48K or 4K..16M "
               "(doubled).",
    .columns = MT_COLUMN_ADDRESS | MT_COLUMN_INFO,
    .options = options,
    .defaults = &defaults,
    .options_bytes = sizeof defaults,
    .begin = sweep_begin,
    .add = sweep_add,
    .describe = sweep_describe,
    .end = sweep_end,
    .divide = sweep_divide,
    .take_part = sweep_take_part,
    .merge = sweep_merge,
};
