/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The result of `stat`: see stat.h. */
#include <string.h>

#include "stat_private.h"

typedef struct {
    uint64_t accesses, loads, stores;
    uint64_t by_cpl[4], by_size_shift[8], by_order[STAT_ORDERS];
} Counts;

static void count_vcpu(const StatVcpu *vcpu, Counts *counts)
{
    for (unsigned kind = 0; kind < KIND_COUNTS; kind++) {
        uint64_t accesses = kind_counts_get(&vcpu->kinds, kind);

        counts->accesses += accesses;
        *(mt_is_store((uint8_t)kind) ? &counts->stores : &counts->loads) += accesses;
        counts->by_cpl[mt_cpl((uint8_t)kind)] += accesses;
        counts->by_size_shift[kind & 7] += accesses;
    }
    for (guint i = 0; i < STAT_ORDERS; i++)
        counts->by_order[i] += vcpu->by_order[i];
}

static void describe_sizes(const Counts *counts, Report *report)
{
    Report *section = report_add_section(report, "accesses_by_bytes", "");

    for (int shift = 0; shift < 8; shift++) {
        g_autofree char *name = g_strdup_printf("%d", 1 << shift);
        g_autofree char *label = g_strdup_printf("of %d byte%s", 1 << shift, shift ? "s" : "");

        if (counts->by_size_shift[shift])
            report_add_share(section, name, label, counts->by_size_shift[shift], counts->accesses);
    }
}

static void describe_cpls(const Counts *counts, Report *report)
{
    Report *section = report_add_section(report, "accesses_by_cpl", "");

    for (unsigned cpl = 0; cpl < 4; cpl++) {
        g_autofree char *name = g_strdup_printf("%u", cpl);

        if (counts->by_cpl[cpl])
            report_add_count(section, name, NULL, counts->by_cpl[cpl]); /* the text has kernel and user instead */
    }
}

static void describe_vcpus(const Stat *stat, const Counts *all, Report *report)
{
    Report *section = report_add_section(report, "accesses_by_vcpu", "");
    guint vcpus = 0;

    for (guint i = 0; i < STAT_MAX_VCPUS; i++)
        vcpus += !!stat->vcpus[i];
    for (guint i = 0; i < STAT_MAX_VCPUS; i++) {
        g_autofree char *name = g_strdup_printf("%u", i), *label = g_strdup_printf("by vCPU %u", i);
        Counts counts = { 0 };

        if (!stat->vcpus[i])
            continue;
        count_vcpu(stat->vcpus[i], &counts);
        report_add_share(section, name, vcpus > 1 ? label : NULL, counts.accesses, all->accesses);
    }
}

/* The members that the summary of `run` has, too. */
static void describe_brief(Stat *stat, const Counts *counts, Report *report)
{
    uint64_t kernel = counts->by_cpl[0] + counts->by_cpl[1] + counts->by_cpl[2];

    report_add_share(report, "loads", "loads", counts->loads, counts->accesses);
    report_add_share(report, "stores", "stores", counts->stores, counts->accesses);
    report_add_share(report, "kernel", "by the kernel", kernel, counts->accesses);
    report_add_share(report, "user", "by user code", counts->by_cpl[3], counts->accesses);
    describe_sizes(counts, report);
    report_add_count(report, "distinct_64_byte_lines", "distinct 64-byte lines", page_table_lines(&stat->pages));
    report_add_count(report, "distinct_4_KiB_pages", "distinct 4-KiB pages", stat->pages.pages);
}

static double percent(uint64_t accesses, const Counts *counts)
{
    return 100.0 * (double)accesses / (double)counts->accesses;
}

static void describe_pages(Stat *stat, const Counts *counts, Report *report)
{
    static const ReportColumn columns[] = { { "page", "page", REPORT_ADDRESS },
                                            { "accesses", "accesses", REPORT_COUNT },
                                            { "percent", "%", REPORT_REAL },
                                            { "lines", "lines", REPORT_COUNT },
                                            { NULL } };
    ReportTable *table = report_add_table(report, "top_pages", "4-KiB pages that were accessed most", columns);
    g_autoptr(GArray) top = page_table_top(&stat->pages, (guint)stat->options->top);

    for (guint i = 0; i < top->len; i++) {
        const PageEntry *entry = &g_array_index(top, PageEntry, i);

        report_table_add_row(table, (entry->page - 1) << PAGE_SHIFT, entry->accesses, percent(entry->accesses, counts),
                             (uint64_t)__builtin_popcountll(entry->lines));
    }
}

/* An instruction or a function that has made accesses. */
typedef struct {
    uint64_t accesses;
    uint32_t number;  /* of the instruction, or of one in the function */
    const char *name; /* of the function; or NULL */
    uint64_t offset;
} Place;

static gint compare_places(gconstpointer a, gconstpointer b)
{
    const Place *one = a, *other = b;

    if (one->accesses != other->accesses)
        return one->accesses < other->accesses ? 1 : -1;
    return one->number < other->number ? -1 : one->number > other->number;
}

/* All instructions that have made accesses, of all vCPUs together; those with most accesses first. */
static GArray *list_instructions(const Stat *stat)
{
    GArray *places = g_array_new(FALSE, FALSE, sizeof(Place));
    g_autoptr(GArray) accesses = g_array_new(FALSE, TRUE, sizeof(uint64_t)); /* by number */

    for (guint i = 0; i < STAT_MAX_VCPUS; i++) {
        const StatVcpu *vcpu = stat->vcpus[i];

        if (vcpu && vcpu->room > accesses->len)
            g_array_set_size(accesses, vcpu->room);
        for (uint32_t number = 1; vcpu && number < vcpu->room; number++)
            g_array_index(accesses, uint64_t, number) += vcpu->instructions[number].accesses;
    }
    for (uint32_t number = 1; number < accesses->len; number++) {
        Place place = { .accesses = g_array_index(accesses, uint64_t, number), .number = number };

        if (!place.accesses)
            continue;
        place.name = context_function(stat->context, number, &place.offset);
        g_array_append_val(places, place);
    }
    g_array_sort(places, compare_places);
    return places;
}

static void describe_instructions(const Stat *stat, const GArray *places, const Counts *counts, Report *report)
{
    static const ReportColumn columns[] = { { "pc", "instruction", REPORT_ADDRESS },
                                            { "accesses", "accesses", REPORT_COUNT },
                                            { "percent", "%", REPORT_REAL },
                                            { "function", "in", REPORT_TEXT },
                                            { NULL } };
    ReportTable *table = report_add_table(report, "top_instructions", "instructions that made most accesses", columns);

    for (guint i = 0; i < places->len && i < (guint)stat->options->top; i++) {
        const Place *place = &g_array_index(places, Place, i);
        const struct mt_instruction *instruction = context_instruction(stat->context, place->number);
        g_autofree char *function =
            place->name ? g_strdup_printf("%s+0x%" G_GINT64_MODIFIER "x", place->name, place->offset) : g_strdup("");

        report_table_add_row(table, instruction ? instruction->pc : 0, place->accesses,
                             percent(place->accesses, counts), function);
    }
}

static GArray *list_functions(const GArray *places)
{
    g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal);
    GArray *functions = g_array_new(FALSE, TRUE, sizeof(Place));

    for (guint i = 0; i < places->len; i++) {
        const Place *place = &g_array_index(places, Place, i);
        guint at = place->name ? GPOINTER_TO_UINT(g_hash_table_lookup(known, place->name)) : 0;

        if (!place->name)
            continue;
        if (!at) {
            g_array_append_val(functions, *place);
            g_hash_table_insert(known, (char *)place->name, GUINT_TO_POINTER(functions->len));
        } else {
            g_array_index(functions, Place, at - 1).accesses += place->accesses;
        }
    }
    g_array_sort(functions, compare_places);
    return functions;
}

static void describe_functions(const Stat *stat, const GArray *places, const Counts *counts, Report *report)
{
    static const ReportColumn columns[] = { { "accesses", "accesses", REPORT_COUNT },
                                            { "percent", "%", REPORT_REAL },
                                            { "function", "function", REPORT_TEXT },
                                            { NULL } };
    ReportTable *table = report_add_table(report, "top_functions", "functions that made most accesses", columns);
    g_autoptr(GArray) functions = list_functions(places);

    for (guint i = 0; i < functions->len && i < (guint)stat->options->top; i++) {
        const Place *place = &g_array_index(functions, Place, i);

        report_table_add_row(table, place->accesses, percent(place->accesses, counts), place->name);
    }
}

/* Source lines that have made accesses: each has all its instructions, whatever function it was inlined into. */
static GArray *list_lines(const Stat *stat, const GArray *places)
{
    g_autoptr(GHashTable) known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    GArray *lines = g_array_new(FALSE, TRUE, sizeof(Place));

    for (guint i = 0; i < places->len; i++) {
        const Place *place = &g_array_index(places, Place, i);
        const struct mt_symbol *symbol = context_symbol(stat->context, place->number);
        g_autofree char *text = NULL;
        guint at;

        if (!symbol || !symbol->file || !symbol->line)
            continue;
        text = g_strdup_printf("%s:%u", symbol->file, symbol->line);
        at = GPOINTER_TO_UINT(g_hash_table_lookup(known, text));
        if (!at) {
            g_array_append_val(lines, *place);
            g_hash_table_insert(known, g_steal_pointer(&text), GUINT_TO_POINTER(lines->len));
        } else {
            g_array_index(lines, Place, at - 1).accesses += place->accesses;
        }
    }
    g_array_sort(lines, compare_places);
    return lines;
}

static void describe_lines(const Stat *stat, const GArray *places, const Counts *counts, Report *report)
{
    static const ReportColumn columns[] = { { "accesses", "accesses", REPORT_COUNT }, { "percent", "%", REPORT_REAL },
                                            { "file", "file", REPORT_TEXT },          { "line", "line", REPORT_COUNT },
                                            { "function", "in", REPORT_TEXT },        { NULL } };
    g_autoptr(GArray) lines = list_lines(stat, places);
    ReportTable *table = lines->len && stat->options->top
                             ? report_add_table(report, "top_lines", "source lines that made most accesses", columns)
                             : NULL;

    for (guint i = 0; i < lines->len && i < (guint)stat->options->top; i++) {
        const Place *place = &g_array_index(lines, Place, i);
        const struct mt_symbol *symbol = context_symbol(stat->context, place->number);
        const char *function = symbol->frames[0].function;

        report_table_add_row(table, place->accesses, percent(place->accesses, counts), symbol->file,
                             (uint64_t)symbol->line, function ? function : "");
    }
}

/* Accesses by the recorded page sizes. */
static void describe_page_sizes(const Stat *stat, const Counts *counts, Report *report)
{
    static const struct {
        unsigned shift;
        const char *name, *label;
    } sizes[] = { { 12, "4K", "in 4-KiB pages" },
                  { 21, "2M", "in 2-MiB pages" },
                  { 30, "1G", "in 1-GiB pages" },
                  { 0, "unknown", "in pages of unknown size" } };
    Report *section = report_add_section(report, "accesses_by_page_size", "");

    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++)
        if (stat->by_page_shift[sizes[i].shift])
            report_add_share(section, sizes[i].name, sizes[i].label, stat->by_page_shift[sizes[i].shift],
                             counts->accesses);
}

static void describe_rest(Stat *stat, const Counts *counts, Report *report)
{
    static const char *const names[STAT_ORDERS] = { "same", "sequential", "strided", "other" };
    static const char *const labels[STAT_ORDERS] = { "same address again", "sequential", "strided", "any other" };
    Report *order;
    g_autoptr(GArray) places = NULL;

    report_add_count(report, "distinct_2_MiB_pages", "distinct 2-MiB pages", page_table_huge_pages(&stat->pages));
    report_add_share(report, "crossing_lines", "crossing a line", stat->lines_crossed, counts->accesses);
    report_add_share(report, "crossing_pages", "crossing a 4-KiB page", stat->pages_crossed, counts->accesses);
    order = report_add_section(report, "order", "");
    for (guint i = 0; i < STAT_ORDERS; i++)
        report_add_share(order, names[i], labels[i], counts->by_order[i], counts->accesses);
    if (context_has_page_sizes(stat->context))
        describe_page_sizes(stat, counts, report);
    describe_cpls(counts, report);
    describe_vcpus(stat, counts, report);
    describe_pages(stat, counts, report);
    if (!context_has_instructions(stat->context))
        return;
    places = list_instructions(stat);
    describe_instructions(stat, places, counts, report);
    describe_functions(stat, places, counts, report);
    describe_lines(stat, places, counts, report);
}

/* For the page that each instruction is in. */
static void for_all_pages(Stat *stat, void (*leave_or_enter)(PageEntry *page, uint64_t accesses))
{
    for (guint i = 0; i < STAT_MAX_VCPUS; i++) {
        const StatVcpu *vcpu = stat->vcpus[i];

        for (uint32_t number = 0; vcpu && number < vcpu->room; number++)
            leave_or_enter(vcpu->in_groups ? vcpu->in_groups[number].page : vcpu->instructions[number].page,
                           vcpu->instructions[number].accesses);
    }
}

void stat_describe(void *data, Report *report)
{
    Stat *stat = data;
    Counts counts = { 0 };

    for_all_pages(stat, stat_leave_page);
    stat_gather_groups(stat);
    for (guint i = 0; i < STAT_MAX_VCPUS; i++)
        if (stat->vcpus[i])
            count_vcpu(stat->vcpus[i], &counts);
    if (!stat->options->brief)
        report_add_count(report, "accesses", "accesses", counts.accesses);
    describe_brief(stat, &counts, report);
    if (!stat->options->brief)
        describe_rest(stat, &counts, report);
    for_all_pages(stat, stat_enter_page); /* more accesses may follow */
}

/* The columns of tables of groups. */
const ReportColumn stat_figures[] = { { "accesses", "accesses", REPORT_COUNT },
                                      { "loads", "loads", REPORT_COUNT },
                                      { "stores", "stores", REPORT_COUNT },
                                      { "user", "user", REPORT_COUNT },
                                      { "lines", "lines", REPORT_COUNT },
                                      { "pages", "pages", REPORT_COUNT },
                                      { NULL } };

void stat_measure(void *data, uint64_t *values)
{
    Stat *stat = data;
    Counts counts = { 0 };

    for (guint i = 0; i < STAT_MAX_VCPUS; i++)
        if (stat->vcpus[i])
            count_vcpu(stat->vcpus[i], &counts);
    values[0] = counts.accesses;
    values[1] = counts.loads;
    values[2] = counts.stores;
    values[3] = counts.by_cpl[3];
    values[4] = page_table_lines(&stat->pages);
    values[5] = stat->pages.pages;
}
