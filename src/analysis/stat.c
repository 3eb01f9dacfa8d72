/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Statistics of accesses: see stat.h. The figures are defined in memory_tracer-stat(1).
 *
 * The order of accesses is that of each instruction on each vCPU: the distance from its last access, as a stride
 * prefetcher sees it (Baer and Chen 1991). Without instructions, it is the order of each vCPU's accesses.
 */
#include <string.h>

#include "../../include/memory_tracer/record.h"
#include "../base/error.h"
#include "stat_private.h"

#define LINE_BYTES (1u << LINE_SHIFT)

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

    for (guint i = 0; i < STAT_MAX_VCPUS; i++)
        if (stat->vcpus[i]) {
            g_free(stat->vcpus[i]->instructions_memory);
            g_free(stat->vcpus[i]->accesses);
            g_free(stat->vcpus[i]->beginnings);
            g_free(stat->vcpus[i]->begun);
            g_free(stat->vcpus[i]->counted);
            g_free(stat->vcpus[i]);
        }
    page_table_clear(&stat->pages);
    if (stat->groups)
        g_ptr_array_unref(stat->groups);
    g_free(stat);
}

StatVcpu *stat_get_vcpu(Stat *stat, unsigned number)
{
    StatVcpu **vcpu = &stat->vcpus[number % STAT_MAX_VCPUS];

    if (!*vcpu) {
        *vcpu = g_new0(StatVcpu, 1);
        (*vcpu)->expected = stat->context ? context_instructions(stat->context) + 1 : 0;
    }
    return *vcpu;
}

/* Zeros that begin with what there is. A large piece of memory is new and zero anyway: what of it nobody uses, as when
 * most of a trace's instructions are another part's, is never looked at. */
static void *enlarge(void *old, size_t old_bytes, size_t bytes)
{
    void *more = g_malloc0(bytes);

    if (old_bytes)
        memcpy(more, old, old_bytes);
    g_free(old);
    return more;
}

void stat_make_room(StatVcpu *vcpu, uint32_t number)
{
    const size_t alignment = sizeof *vcpu->instructions;
    uint32_t room = MAX(MAX(2 * vcpu->room, vcpu->expected), number + 1024);
    uint8_t *memory;
    StatInstruction *more;

    if (number < vcpu->room)
        return;
    memory = g_malloc0((room + 1) * sizeof *more);
    more = (StatInstruction *)(memory + (-(uintptr_t)memory & (alignment - 1)));
    if (vcpu->room)
        memcpy(more, vcpu->instructions, vcpu->room * sizeof *more);
    g_free(vcpu->instructions_memory);
    vcpu->instructions_memory = memory;
    vcpu->instructions = more;
    vcpu->accesses = enlarge(vcpu->accesses, vcpu->room * sizeof *vcpu->accesses, room * sizeof *vcpu->accesses);
    vcpu->counted = enlarge(vcpu->counted, vcpu->room * sizeof *vcpu->counted, room * sizeof *vcpu->counted);
    vcpu->room = room;
}

/* A loop for each kind of count: one loop for all would need too many registers. */

static void add_page_sizes(Stat *stat, const struct mt_batch *batch)
{
    const uint8_t *sizes = batch->page_size;

    for (size_t i = 0, next; sizes && i < batch->count; i = next) { /* neighbours often have the same size */
        for (next = i + 1; next < batch->count && sizes[next] == sizes[i]; next++)
            ;
        stat->by_page_shift[sizes[i] % STAT_PAGE_SHIFTS] += next - i;
    }
}

/* Whether the bytes from `address` lie in two lines. */
static inline bool crosses(uint64_t address, uint64_t bytes)
{
    return address % LINE_BYTES + bytes > LINE_BYTES;
}

/* Counts the second line of an access in a table of pages, which is that of all records or of a group. */
static void touch_second_line(Stat *stat, PageTable *pages, uint64_t address, uint64_t bytes)
{
    uint64_t last = (address + bytes - 1) >> LINE_SHIFT;
    PageEntry *entry = page_table_touch(pages, last);

    stat->lines_crossed++;
    if (last >> (PAGE_SHIFT - LINE_SHIFT) != address >> PAGE_SHIFT) {
        stat->pages_crossed++;
        entry->accesses++;
    }
}

static void add_pages(Stat *stat, const struct mt_batch *batch)
{
    const uint64_t *addresses = batch->address;
    const uint8_t *infos = batch->info;

    for (size_t i = 0; i < batch->count; i++) {
        page_table_touch(&stat->pages, addresses[i] >> LINE_SHIFT)->accesses++;
        if (G_UNLIKELY(crosses(addresses[i], mt_size(infos[i]))))
            touch_second_line(stat, &stat->pages, addresses[i], mt_size(infos[i]));
    }
}

/* By log2 of an access's bytes: at how many offsets in a line it can begin without reaching into the next line. */
static const uint8_t places[8] = { 64, 63, 61, 57, 49, 33, 1, 0 };

/* An access of which only the lines matter. Most of them have been touched recently. */
static inline void touch_lines(Stat *stat, uint64_t address, uint8_t info)
{
    uint64_t line = address >> LINE_SHIFT, *recent = &stat->recent[line % STAT_RECENT_LINES];

    if (G_LIKELY((*recent == line + 1) & (address % LINE_BYTES < places[info & 7])))
        return;
    *recent = line + 1;
    page_table_touch(&stat->pages, line);
    if (crosses(address, mt_size(info)))
        touch_second_line(stat, &stat->pages, address, mt_size(info));
}

/* Counts kinds and lines, in one pass. */
static void add_briefly(Stat *stat, StatVcpu *vcpu, const struct mt_batch *batch)
{
    const uint64_t *addresses = batch->address;
    const uint8_t *infos = batch->info;
    size_t i = 0;

    for (; i + KIND_COPIES <= batch->count; i += KIND_COPIES)
#pragma GCC unroll 4 /* KIND_COPIES */
        for (size_t k = 0; k < KIND_COPIES; k++) {
            kind_counts_add(&vcpu->kinds, k, infos[i + k]);
            touch_lines(stat, addresses[i + k], infos[i + k]);
        }
    for (; i < batch->count; i++) {
        kind_counts_add(&vcpu->kinds, i, infos[i]);
        touch_lines(stat, addresses[i], infos[i]);
    }
}

/*
 * The order of accesses.
 *
 * Most accesses are to the line that their instruction accessed last. Then only the instruction's count changes. It is
 * added to the page's when the instruction accesses another page, and at the end.
 */

void stat_settle(StatVcpu *vcpu, uint32_t number)
{
    StatCounted *counted = &vcpu->counted[number];

    if (counted->to_pages == vcpu->accesses[number])
        return;
    if (vcpu->instructions[number].page)
        vcpu->instructions[number].page->accesses += vcpu->accesses[number] - counted->to_pages;
    counted->to_pages = vcpu->accesses[number];
}

/* An access to another line, or to two of them, with these pages: those of all records, or of a group. */
static inline __attribute__((always_inline)) void touch(Stat *stat, PageTable *pages, StatVcpu *vcpu, uint32_t number,
                                                        uint64_t address, uint64_t bytes)
{
    PageEntry *entry = page_table_touch(pages, address >> LINE_SHIFT);

    if (entry != vcpu->instructions[number].page) {
        stat_settle(vcpu, number);
        vcpu->instructions[number].page = entry;
    }
    if (crosses(address, bytes))
        touch_second_line(stat, pages, address, bytes);
}

static __attribute__((noinline)) void touch_of_all(Stat *stat, StatVcpu *vcpu, uint32_t number, uint64_t address,
                                                   uint64_t bytes)
{
    touch(stat, &stat->pages, vcpu, number, address, bytes);
}

/* An access to another line of the page that the instruction has accessed before. */
static inline bool stays_in_page(PageEntry *entry, uint64_t address, uint64_t bytes)
{
    if (!entry || entry->page != (address >> PAGE_SHIFT) + 1 || crosses(address, bytes))
        return false;
    entry->lines |= UINT64_C(1) << (address >> LINE_SHIFT) % 64;
    return true;
}

/* The same with groups, or an access that only has another tag. */
static __attribute__((noinline)) void touch_of_group(Stat *stat, StatVcpu *vcpu, uint32_t number, uint32_t tag,
                                                     uint64_t address, uint64_t bytes)
{
    StatGroup *group;
    PageTable *pages;

    if (vcpu->instructions[number].tag == tag && stays_in_page(vcpu->instructions[number].page, address, bytes))
        return;
    group = vcpu->counted[number].group;
    pages = group && vcpu->instructions[number].tag == tag ? stat_pages_of(group)
                                                           : stat_change_group(stat, vcpu, number, tag);

    touch(stat, pages, vcpu, number, address, bytes);
}

/* Three counts in a word, each of so many bits: there are too few registers for one each. */
#define ORDER_BITS 21
#define ORDER_MASK ((UINT64_C(1) << ORDER_BITS) - 1)
#define ORDER_MAX ORDER_MASK

/* How an access of this many bytes follows its instruction's last access. It has no branches, because the processor
 * could not predict them. */
static inline uint64_t order_of(int64_t stride, int64_t before, int64_t bytes)
{
    uint64_t same = stride == 0, sequential = (stride == bytes) | (stride == -bytes), strided = stride == before;

    return same | sequential << ORDER_BITS | (strided & ~(same | sequential)) << 2 * ORDER_BITS;
}

enum stat_order stat_order(int64_t stride, int64_t before, int64_t bytes)
{
    uint64_t order = order_of(stride, before, bytes);

    return order & 1                     ? STAT_SAME
           : order >> ORDER_BITS & 1     ? STAT_SEQUENTIAL
           : order >> 2 * ORDER_BITS & 1 ? STAT_STRIDED
                                         : STAT_OTHER;
}

static void take_orders(StatVcpu *vcpu, uint64_t orders, size_t count)
{
    uint64_t same = orders & ORDER_MASK, sequential = orders >> ORDER_BITS & ORDER_MASK,
             strided = orders >> 2 * ORDER_BITS;

    vcpu->by_order[STAT_SAME] += same;
    vcpu->by_order[STAT_SEQUENTIAL] += sequential;
    vcpu->by_order[STAT_STRIDED] += strided;
    vcpu->by_order[STAT_OTHER] += count - same - sequential - strided;
}

/* Without instructions, all accesses belong to number 0. */
static void add_orders(StatVcpu *vcpu, const uint64_t *addresses, const uint8_t *infos, size_t count)
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
static void begin_orders(StatVcpu *vcpu, uint64_t address)
{
    vcpu->accesses[0]++;
    vcpu->instructions[0].address = address;
    vcpu->instructions[0].stride = (int64_t)address;
    vcpu->by_order[STAT_OTHER]++;
}

/* Whether no byte of an access lies outside the line in which the one before began. */
static inline bool stays_in_line(uint64_t address, uint64_t before, uint8_t info)
{
    return address - before / LINE_BYTES * LINE_BYTES < places[info & 7];
}

/* `members`, with groups, else NULL: of a stretch with this tag, or with one for each record. It is inlined for each.
 */
static inline __attribute__((always_inline)) void add_instructions(Stat *stat, StatVcpu *vcpu,
                                                                   const struct mt_batch *batch, size_t begin,
                                                                   size_t end, bool groups, uint32_t tag,
                                                                   const uint32_t *tags)
{
    const uint64_t *addresses = batch->address;
    const uint8_t *infos = batch->info;
    const uint32_t *numbers = batch->instruction;
    StatInstruction *instructions = vcpu->instructions;
    uint64_t *accesses = vcpu->accesses, orders = 0;

    for (size_t i = begin; i < end; i++) {
        uint32_t number = numbers[i];
        StatInstruction *instruction = &instructions[number];
        uint64_t address = addresses[i], before = instruction->address;
        uint8_t info = infos[i];
        int64_t stride = (int64_t)(address - before);
        uint64_t order = order_of(stride, instruction->stride, mt_size(info));
        uint32_t whole_tag = groups ? stat_tag(tags ? tags[i] : tag, info) : 0;

        if (!stays_in_line(address, before, info) || !instruction->page || (groups && instruction->tag != whole_tag)) {
            if (!instruction->page)
                order = 0; /* the instruction's first access */
            if (groups)
                touch_of_group(stat, vcpu, number, whole_tag, address, mt_size(info));
            else
                touch_of_all(stat, vcpu, number, address, mt_size(info));
        }
        if (groups)
            instruction->stores += mt_is_store(info);
        orders += order;
        accesses[number]++;
        instruction->address = address;
        instruction->stride = stride;
    }
    take_orders(vcpu, orders, end - begin);
}

static __attribute__((noinline)) void add_alone(Stat *stat, StatVcpu *vcpu, const struct mt_batch *batch, size_t begin,
                                                size_t end)
{
    add_instructions(stat, vcpu, batch, begin, end, false, 0, NULL);
}

static __attribute__((noinline)) void add_tagged(Stat *stat, StatVcpu *vcpu, const struct mt_batch *batch, size_t begin,
                                                 size_t end, uint32_t tag)
{
    add_instructions(stat, vcpu, batch, begin, end, true, tag, NULL);
}

static __attribute__((noinline)) void add_each_tagged(Stat *stat, StatVcpu *vcpu, const struct mt_batch *batch,
                                                      size_t begin, size_t end, const uint32_t *tags)
{
    add_instructions(stat, vcpu, batch, begin, end, true, 0, tags);
}

static void add_run(Stat *stat, StatVcpu *vcpu, const struct mt_batch *batch, const GroupRun *run)
{
    for (size_t at = run->begin, end; at < run->end; at = end) {
        end = MIN(run->end, at + ORDER_MAX);
        if (run->groups)
            add_each_tagged(stat, vcpu, batch, at, end, run->groups);
        else
            add_tagged(stat, vcpu, batch, at, end, run->tag);
    }
}

static uint32_t highest_of(const uint32_t *numbers, size_t count)
{
    uint32_t highest = 0;

    for (size_t i = 0; i < count; i++)
        highest = MAX(highest, numbers[i]);
    return highest;
}

/* Adds records in pieces for which the counts of ORDER_BITS have room. */
static void add_with_orders(Stat *stat, StatVcpu *vcpu, const struct mt_batch *batch)
{
    uint32_t highest = batch->instruction ? highest_of(batch->instruction, batch->count) : 0;
    size_t at = 0;

    stat_make_room(vcpu, highest);
    if (stat->keeps_beginnings)
        stat_keep_beginnings(vcpu, batch, highest);
    if (!batch->instruction && batch->count && !vcpu->accesses[0])
        begin_orders(vcpu, batch->address[at++]);
    while (at < batch->count) {
        size_t count = MIN(batch->count - at, ORDER_MAX);

        if (batch->instruction)
            add_alone(stat, vcpu, batch, at, at + count);
        else
            add_orders(vcpu, batch->address + at, batch->info + at, count);
        at += count;
    }
}

static bool stat_add(void *data, const struct mt_batch *batch, GError **error)
{
    Stat *stat = data;
    StatVcpu *vcpu = stat_get_vcpu(stat, batch->vcpu);

    (void)error;
    if (stat->options->brief) {
        add_briefly(stat, vcpu, batch);
        return true;
    }
    kind_counts_add_all(&vcpu->kinds, batch->info, batch->count);
    add_page_sizes(stat, batch);
    if (!batch->instruction)
        add_pages(stat, batch);
    add_with_orders(stat, vcpu, batch);
    return true;
}

static bool stat_add_groups(void *data, const struct mt_batch *batch, GroupFinder *finder, GError **error)
{
    Stat *stat = data;
    StatVcpu *vcpu = stat_get_vcpu(stat, batch->vcpu);
    GroupRun run = { 0 };

    (void)error;
    if (!stat->groups)
        stat_begin_groups(stat);
    stat->finder = finder;
    kind_counts_add_all(&vcpu->kinds, batch->info, batch->count);
    add_page_sizes(stat, batch);
    stat_make_room(vcpu, highest_of(batch->instruction, batch->count));
    stat_expect(stat, batch->count);
    while (group_finder_next_run(finder, batch, &run))
        add_run(stat, vcpu, batch, &run);
    return true;
}

static unsigned stat_columns(const void *options)
{
    const StatOptions *own = options;

    return own->brief ? MT_COLUMN_ADDRESS | MT_COLUMN_INFO : stat_analysis.columns;
}

static const StatOptions figure_options = { .brief = TRUE };
static const StatOptions defaults = { .top = STAT_DEFAULT_TOP };
static const AnalysisOption options[] = {
    { "top", G_OPTION_ARG_INT, offsetof(StatOptions, top), "Rows of the tables (default: 10)", "N" },
    { "brief", G_OPTION_ARG_NONE, offsetof(StatOptions, brief), "Only what 'run' prints", NULL },
    { NULL },
};

const AnalysisType stat_analysis = {
    .name = "stat",
    .summary = "What the accesses were, how much memory they touched, and in what order.",
    .columns = MT_COLUMN_ADDRESS | MT_COLUMN_INFO | MT_COLUMN_INSTRUCTION | MT_COLUMN_PAGE_SIZE,
    .options = options,
    .defaults = &defaults,
    .options_bytes = sizeof defaults,
    .columns_for = stat_columns,
    .begin = stat_begin,
    .add = stat_add,
    .describe = stat_describe,
    .end = stat_end,
    .divide = stat_divide,
    .take_part = stat_take_part,
    .merge = stat_merge,
    .figures = stat_figures,
    .figure_options = &figure_options,
    .measure = stat_measure,
    .add_groups = stat_add_groups,
    .measure_group = stat_measure_group,
};
