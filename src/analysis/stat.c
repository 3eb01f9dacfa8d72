/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Statistics of accesses: see stat.h. The figures are defined in memory_tracer-stat(1).
 *
 * The order of accesses is that of each instruction on each vCPU: how far its access lies from its one before, as a
 * stride prefetcher sees it (Baer and Chen 1991). Without instructions it is that of each vCPU.
 */
#include "stat.h"

#include <string.h>

#include "../../include/memory_tracer/record.h"
#include "../base/error.h"
#include "page_table.h"

#define MAX_VCPUS 256
#define KINDS 256 /* values of a record's info */
#define KIND_COPIES 4
#define LINE_BYTES (1u << LINE_SHIFT)

enum order { SAME, SEQUENTIAL, STRIDED, OTHER, ORDERS };

/* What is kept of an instruction: half a cache line. Its accesses are counted apart, or the compiler would join two of
 * its members into a vector to store them, which the next access of the instruction would wait for. */
typedef struct {
    uint64_t address; /* of the last access */
    PageEntry *page;  /* the page that this is in; NULL: there was none */
    int64_t stride;   /* between the last two */
    uint64_t counted; /* of its accesses, those that are counted to their pages */
} __attribute__((aligned(32))) Instruction;

typedef struct {
    uint64_t by_kind[KIND_COPIES][KINDS]; /* several, so that equal neighbours don't wait for each other */
    uint64_t by_order[ORDERS];
    Instruction *instructions; /* by number */
    uint64_t *accesses;        /* likewise */
    uint32_t room;
} Vcpu;

typedef struct {
    const StatOptions *options;
    const Context *context;
    Vcpu *vcpus[MAX_VCPUS]; /* or NULL */
    PageTable pages;
    uint64_t lines_crossed, pages_crossed;
} Stat;

static void *stat_begin(const AnalysisType *type, const void *options, const Context *context, GError **error)
{
    const StatOptions *own = options;
    Stat *stat;

    (void)type;
    if (own->top < 0) {
        mt_fail_usage(error, "--top can't be negative, but %d is.", own->top);
        return NULL;
    }
    stat = g_new0(Stat, 1);
    stat->options = own;
    stat->context = context;
    page_table_init(&stat->pages);
    return stat;
}

static void stat_end(void *data)
{
    Stat *stat = data;

    for (guint i = 0; i < MAX_VCPUS; i++)
        if (stat->vcpus[i]) {
            g_aligned_free(stat->vcpus[i]->instructions);
            g_free(stat->vcpus[i]->accesses);
            g_free(stat->vcpus[i]);
        }
    page_table_clear(&stat->pages);
    g_free(stat);
}

static Vcpu *get_vcpu(Stat *stat, unsigned number)
{
    Vcpu **vcpu = &stat->vcpus[number % MAX_VCPUS];

    if (!*vcpu)
        *vcpu = g_new0(Vcpu, 1);
    return *vcpu;
}

static void make_room(Vcpu *vcpu, uint32_t number)
{
    uint32_t room = MAX(2 * vcpu->room, number + 1024);
    Instruction *more = g_aligned_alloc0(room, sizeof *more, sizeof *more);

    if (vcpu->room)
        memcpy(more, vcpu->instructions, vcpu->room * sizeof *more);
    g_aligned_free(vcpu->instructions);
    vcpu->instructions = more;
    vcpu->accesses = g_renew(uint64_t, vcpu->accesses, room);
    memset(vcpu->accesses + vcpu->room, 0, (room - vcpu->room) * sizeof *vcpu->accesses);
    vcpu->room = room;
}

/* A loop for each question: together they need more registers than there are. */

static void add_kinds(Vcpu *vcpu, const struct mt_batch *batch)
{
    const uint8_t *info = batch->info;
    size_t i = 0;

    for (; i + KIND_COPIES <= batch->count; i += KIND_COPIES)
        for (size_t k = 0; k < KIND_COPIES; k++)
            vcpu->by_kind[k][info[i + k]]++;
    for (; i < batch->count; i++)
        vcpu->by_kind[0][info[i]]++;
}

/* Whether the bytes from `address` lie in two lines. */
static inline bool crosses(uint64_t address, uint64_t bytes)
{
    return address % LINE_BYTES + bytes > LINE_BYTES;
}

static void touch_second_line(Stat *stat, uint64_t address, uint64_t bytes)
{
    uint64_t last = (address + bytes - 1) >> LINE_SHIFT;
    PageEntry *entry = page_table_touch(&stat->pages, last);

    stat->lines_crossed++;
    if (last >> (PAGE_SHIFT - LINE_SHIFT) != address >> PAGE_SHIFT) {
        stat->pages_crossed++;
        entry->accesses++;
    }
}

/* Without `count`, pages' accesses are not counted: nobody asks for them. */
static inline __attribute__((always_inline)) void add_pages(Stat *stat, const struct mt_batch *batch, bool count)
{
    const uint64_t *addresses = batch->address;
    const uint8_t *infos = batch->info;

    for (size_t i = 0; i < batch->count; i++) {
        PageEntry *entry = page_table_touch(&stat->pages, addresses[i] >> LINE_SHIFT);

        if (count)
            entry->accesses++;
        if (G_UNLIKELY(crosses(addresses[i], mt_size(infos[i]))))
            touch_second_line(stat, addresses[i], mt_size(infos[i]));
    }
}

/*
 * The order of accesses.
 *
 * What most accesses have in common is that they are to the line that their instruction has accessed before: nothing is
 * new then but its count. It is given to the page when the instruction turns to another one, and at the end.
 */

static void settle(Vcpu *vcpu, uint32_t number)
{
    Instruction *instruction = &vcpu->instructions[number];

    if (instruction->page)
        instruction->page->accesses += vcpu->accesses[number] - instruction->counted;
    instruction->counted = vcpu->accesses[number];
}

/* An access to another line, or to two of them. */
static __attribute__((noinline)) void touch(Stat *stat, Vcpu *vcpu, uint32_t number, uint64_t address, uint64_t bytes)
{
    PageEntry *entry = page_table_touch(&stat->pages, address >> LINE_SHIFT);

    if (entry != vcpu->instructions[number].page) {
        settle(vcpu, number);
        vcpu->instructions[number].page = entry;
    }
    if (crosses(address, bytes))
        touch_second_line(stat, address, bytes);
}

/* Three counts in a word, each of so many bits: there are too few registers for one each. */
#define ORDER_BITS 21
#define ORDER_MASK ((UINT64_C(1) << ORDER_BITS) - 1)
#define ORDER_MAX ORDER_MASK

/* How an access of so many bytes follows the one before of its instruction. Without branches, which nobody could
 * foresee. */
static inline uint64_t order_of(int64_t stride, int64_t before, int64_t bytes)
{
    uint64_t same = stride == 0, sequential = (stride == bytes) | (stride == -bytes), strided = stride == before;

    return same | sequential << ORDER_BITS | (strided & ~(same | sequential)) << 2 * ORDER_BITS;
}

static void take_orders(Vcpu *vcpu, uint64_t orders, size_t count)
{
    uint64_t same = orders & ORDER_MASK, sequential = orders >> ORDER_BITS & ORDER_MASK,
             strided = orders >> 2 * ORDER_BITS;

    vcpu->by_order[SAME] += same;
    vcpu->by_order[SEQUENTIAL] += sequential;
    vcpu->by_order[STRIDED] += strided;
    vcpu->by_order[OTHER] += count - same - sequential - strided;
}

/* Without instructions: all accesses are number 0's. */
static void add_orders(Vcpu *vcpu, const uint64_t *addresses, const uint8_t *infos, size_t count)
{
    uint64_t address = vcpu->instructions[0].address, orders = 0;
    int64_t stride = vcpu->instructions[0].stride;

    for (size_t i = 0; i < count; i++) {
        int64_t next = (int64_t)(addresses[i] - address);

        orders += order_of(next, stride, mt_size(infos[i]));
        address = addresses[i];
        stride = next;
    }
    vcpu->accesses[0] += count;
    vcpu->instructions[0].address = address;
    vcpu->instructions[0].stride = stride;
    take_orders(vcpu, orders, count);
}

/* The first access of all. */
static void begin_orders(Vcpu *vcpu, uint64_t address)
{
    vcpu->accesses[0]++;
    vcpu->instructions[0].address = address;
    vcpu->instructions[0].stride = (int64_t)address;
    vcpu->by_order[OTHER]++;
}

/* By log2 of an access's bytes: in how many places of a line it can begin without going on into the next one. */
static const uint8_t places[8] = { 64, 63, 61, 57, 49, 33, 1, 0 };

static void add_instructions(Stat *stat, Vcpu *vcpu, const uint64_t *addresses, const uint8_t *infos,
                             const uint32_t *numbers, size_t count)
{
    Instruction *instructions = vcpu->instructions;
    uint64_t *accesses = vcpu->accesses, orders = 0;

    for (size_t i = 0; i < count; i++) {
        uint32_t number = numbers[i];
        Instruction *instruction = &instructions[number];
        uint64_t address = addresses[i], before = instruction->address, bytes = mt_size(infos[i]);
        int64_t stride = (int64_t)(address - before);
        uint64_t order = order_of(stride, instruction->stride, (int64_t)bytes);

        if (address - before / LINE_BYTES * LINE_BYTES >= places[infos[i] & 7] || !instruction->page) {
            if (!instruction->page)
                order = 0; /* its first one */
            touch(stat, vcpu, number, address, bytes);
        }
        orders += order;
        accesses[number]++;
        instruction->address = address;
        instruction->stride = stride;
    }
    take_orders(vcpu, orders, count);
}

static uint32_t highest_of(const uint32_t *numbers, size_t count)
{
    uint32_t highest = 0;

    for (size_t i = 0; i < count; i++)
        highest = MAX(highest, numbers[i]);
    return highest;
}

/* In pieces that the counts of the orders have room for. */
static void add_with_orders(Stat *stat, Vcpu *vcpu, const struct mt_batch *batch)
{
    uint32_t highest = batch->instruction ? highest_of(batch->instruction, batch->count) : 0;
    size_t at = 0;

    if (highest >= vcpu->room)
        make_room(vcpu, highest);
    if (!batch->instruction && batch->count && !vcpu->accesses[0])
        begin_orders(vcpu, batch->address[at++]);
    while (at < batch->count) {
        size_t count = MIN(batch->count - at, ORDER_MAX);

        if (batch->instruction)
            add_instructions(stat, vcpu, batch->address + at, batch->info + at, batch->instruction + at, count);
        else
            add_orders(vcpu, batch->address + at, batch->info + at, count);
        at += count;
    }
}

static bool stat_add(void *data, const struct mt_batch *batch, GError **error)
{
    Stat *stat = data;
    Vcpu *vcpu = get_vcpu(stat, batch->vcpu);

    (void)error;
    add_kinds(vcpu, batch);
    if (stat->options->brief) {
        add_pages(stat, batch, false);
        return true;
    }
    if (!batch->instruction)
        add_pages(stat, batch, true);
    add_with_orders(stat, vcpu, batch);
    return true;
}

/* The result. */

typedef struct {
    uint64_t accesses, loads, stores;
    uint64_t by_cpl[4], by_size_shift[8], by_order[ORDERS];
} Counts;

static void count_vcpu(const Vcpu *vcpu, Counts *counts)
{
    for (unsigned kind = 0; kind < KINDS; kind++) {
        uint64_t accesses = 0;

        for (unsigned i = 0; i < KIND_COPIES; i++)
            accesses += vcpu->by_kind[i][kind];
        counts->accesses += accesses;
        *(mt_is_store((uint8_t)kind) ? &counts->stores : &counts->loads) += accesses;
        counts->by_cpl[mt_cpl((uint8_t)kind)] += accesses;
        counts->by_size_shift[kind & 7] += accesses;
    }
    for (guint i = 0; i < ORDERS; i++)
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
            report_add_count(section, name, NULL, counts->by_cpl[cpl]); /* people are told of kernel and user */
    }
}

static void describe_vcpus(const Stat *stat, const Counts *all, Report *report)
{
    Report *section = report_add_section(report, "accesses_by_vcpu", "");
    guint vcpus = 0;

    for (guint i = 0; i < MAX_VCPUS; i++)
        vcpus += !!stat->vcpus[i];
    for (guint i = 0; i < MAX_VCPUS; i++) {
        g_autofree char *name = g_strdup_printf("%u", i), *label = g_strdup_printf("by vCPU %u", i);
        Counts counts = { 0 };

        if (!stat->vcpus[i])
            continue;
        count_vcpu(stat->vcpus[i], &counts);
        report_add_share(section, name, vcpus > 1 ? label : NULL, counts.accesses, all->accesses);
    }
}

/* The members that `run` has, too. */
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

/* Something that has made accesses: an instruction or a function. */
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

/* All instructions that have made accesses, of all vCPUs together. */
static GArray *list_instructions(const Stat *stat)
{
    GArray *places = g_array_new(FALSE, TRUE, sizeof(Place));

    for (guint i = 0; i < MAX_VCPUS; i++) {
        const Vcpu *vcpu = stat->vcpus[i];

        if (vcpu && vcpu->room > places->len)
            g_array_set_size(places, vcpu->room);
        for (uint32_t number = 1; vcpu && number < vcpu->room; number++)
            g_array_index(places, Place, number).accesses += vcpu->accesses[number];
    }
    for (guint i = 0; i < places->len; i++) {
        Place *place = &g_array_index(places, Place, i);

        place->number = i;
        if (place->accesses)
            place->name = context_function(stat->context, i, &place->offset);
    }
    return places;
}

static void describe_instructions(const Stat *stat, GArray *places, const Counts *counts, Report *report)
{
    static const ReportColumn columns[] = { { "pc", "instruction", REPORT_ADDRESS },
                                            { "accesses", "accesses", REPORT_COUNT },
                                            { "percent", "%", REPORT_REAL },
                                            { "function", "in", REPORT_TEXT },
                                            { NULL } };
    ReportTable *table = report_add_table(report, "top_instructions", "instructions that made most accesses", columns);

    g_array_sort(places, compare_places);
    for (guint i = 0; i < places->len && i < (guint)stat->options->top; i++) {
        const Place *place = &g_array_index(places, Place, i);
        const struct mt_instruction *instruction = context_instruction(stat->context, place->number);
        g_autofree char *function =
            place->name ? g_strdup_printf("%s+0x%" G_GINT64_MODIFIER "x", place->name, place->offset) : g_strdup("");

        if (place->accesses)
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

/* Source lines that have made accesses: all instructions of one, whatever it was inlined into. */
static GArray *list_lines(const Stat *stat, const GArray *places)
{
    g_autoptr(GHashTable) known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    GArray *lines = g_array_new(FALSE, TRUE, sizeof(Place));

    for (guint i = 0; i < places->len; i++) {
        const Place *place = &g_array_index(places, Place, i);
        const struct mt_symbol *symbol = place->accesses ? context_symbol(stat->context, place->number) : NULL;
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

static void describe_rest(Stat *stat, const Counts *counts, Report *report)
{
    static const char *const names[ORDERS] = { "same", "sequential", "strided", "other" };
    static const char *const labels[ORDERS] = { "same address again", "sequential", "strided", "any other" };
    Report *order;
    g_autoptr(GArray) places = NULL;

    report_add_count(report, "distinct_2_MiB_pages", "distinct 2-MiB pages", page_table_huge_pages(&stat->pages));
    report_add_share(report, "crossing_lines", "crossing a line", stat->lines_crossed, counts->accesses);
    report_add_share(report, "crossing_pages", "crossing a 4-KiB page", stat->pages_crossed, counts->accesses);
    order = report_add_section(report, "order", "");
    for (guint i = 0; i < ORDERS; i++)
        report_add_share(order, names[i], labels[i], counts->by_order[i], counts->accesses);
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

static void stat_describe(void *data, Report *report)
{
    Stat *stat = data;
    Counts counts = { 0 };

    for (guint i = 0; i < MAX_VCPUS; i++)
        for (uint32_t number = 0; stat->vcpus[i] && number < stat->vcpus[i]->room; number++)
            settle(stat->vcpus[i], number);
    for (guint i = 0; i < MAX_VCPUS; i++)
        if (stat->vcpus[i])
            count_vcpu(stat->vcpus[i], &counts);
    if (!stat->options->brief)
        report_add_count(report, "accesses", "accesses", counts.accesses);
    describe_brief(stat, &counts, report);
    if (!stat->options->brief)
        describe_rest(stat, &counts, report);
}

static unsigned stat_columns(const void *options)
{
    const StatOptions *own = options;

    return own->brief ? MT_COLUMN_ADDRESS | MT_COLUMN_INFO : stat_analysis.columns;
}

/* What tables of groups tell. */
static const ReportColumn figures[] = { { "accesses", "accesses", REPORT_COUNT },
                                        { "loads", "loads", REPORT_COUNT },
                                        { "stores", "stores", REPORT_COUNT },
                                        { "user", "user", REPORT_COUNT },
                                        { "lines", "lines", REPORT_COUNT },
                                        { "pages", "pages", REPORT_COUNT },
                                        { NULL } };
static const StatOptions figure_options = { .brief = TRUE };

static void stat_measure(void *data, uint64_t *values)
{
    Stat *stat = data;
    Counts counts = { 0 };

    for (guint i = 0; i < MAX_VCPUS; i++)
        if (stat->vcpus[i])
            count_vcpu(stat->vcpus[i], &counts);
    values[0] = counts.accesses;
    values[1] = counts.loads;
    values[2] = counts.stores;
    values[3] = counts.by_cpl[3];
    values[4] = page_table_lines(&stat->pages);
    values[5] = stat->pages.pages;
}

static const StatOptions defaults = { .top = STAT_DEFAULT_TOP };
static const AnalysisOption options[] = {
    { "top", G_OPTION_ARG_INT, offsetof(StatOptions, top), "Rows of the tables (default: 10)", "N" },
    { "brief", G_OPTION_ARG_NONE, offsetof(StatOptions, brief), "Only what 'run' prints", NULL },
    { NULL },
};

const AnalysisType stat_analysis = {
    .name = "stat",
    .summary = "What the accesses were, how much memory they touched, and in what order.",
    .columns = MT_COLUMN_ADDRESS | MT_COLUMN_INFO | MT_COLUMN_INSTRUCTION,
    .options = options,
    .defaults = &defaults,
    .options_bytes = sizeof defaults,
    .columns_for = stat_columns,
    .begin = stat_begin,
    .add = stat_add,
    .describe = stat_describe,
    .end = stat_end,
    .figures = figures,
    .figure_options = &figure_options,
    .measure = stat_measure,
};
