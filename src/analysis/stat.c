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
    stat->way = STAT_WAYS;
    while (!stat_way_works(--stat->way))
        ;
    page_table_init(&stat->pages);
    return stat;
}

static void stat_end(void *data)
{
    Stat *stat = data;

    for (guint i = 0; i < STAT_MAX_VCPUS; i++)
        if (stat->vcpus[i]) {
            g_free(stat->vcpus[i]->instructions_memory);
            g_free(stat->vcpus[i]->beginnings);
            g_free(stat->vcpus[i]->in_groups);
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
        (*vcpu)->expected = stat->context ? context_instructions(stat->context) : 0;
    }
    return *vcpu;
}

/* Zeros that begin with what there is; NULL stays NULL. A large piece of memory is new and zero anyway: what of it
 * nobody uses, as when most of a trace's instructions are another part's, is never looked at. */
static void *enlarge(void *old, size_t old_bytes, size_t bytes)
{
    void *more;

    if (!old)
        return NULL;
    more = g_malloc0(bytes);
    memcpy(more, old, old_bytes);
    g_free(old);
    return more;
}

#define ROOM_LEAST 1024

void stat_make_room(StatVcpu *vcpu, uint32_t number)
{
    const size_t alignment = sizeof *vcpu->instructions;
    /* A power of two, as bound_of() is below the next one. */
    uint32_t room = 1u << g_bit_storage(MAX(MAX(number, vcpu->expected), ROOM_LEAST - 1));
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
    vcpu->in_groups = enlarge(vcpu->in_groups, vcpu->room * sizeof *vcpu->in_groups, room * sizeof *vcpu->in_groups);
    vcpu->beginnings =
        enlarge(vcpu->beginnings, vcpu->room * sizeof *vcpu->beginnings, room * sizeof *vcpu->beginnings);
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

void stat_touch_second_line(Stat *stat, PageTable *pages, uint64_t address, uint64_t bytes)
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
        if (G_UNLIKELY(stat_crosses(addresses[i], mt_size(infos[i]))))
            stat_touch_second_line(stat, &stat->pages, addresses[i], mt_size(infos[i]));
    }
}

/* By log2 of an access's bytes: at how many offsets in a line it can begin without reaching into the next line. */
static const uint8_t places[8] = { 64, 63, 61, 57, 49, 33, 1, 0 };

/* An access of which only the lines matter. Most of them have been touched recently. */
static inline void touch_lines(Stat *stat, uint64_t address, uint8_t info)
{
    uint64_t line = address >> LINE_SHIFT, *recent = &stat->recent[line % STAT_RECENT_LINES];

    if (G_LIKELY((*recent == line + 1) & (address % STAT_LINE_BYTES < places[info & 7])))
        return;
    *recent = line + 1;
    page_table_touch(&stat->pages, line);
    if (stat_crosses(address, mt_size(info)))
        stat_touch_second_line(stat, &stat->pages, address, mt_size(info));
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
 * Most accesses are to the line that their instruction accessed last. Then nothing changes but what is kept of the
 * instruction. Its accesses are added to its page's when it goes on to another page (with groups: or group), and at the
 * end. Which accesses leave their lines can't be predicted. So some accesses are followed without a branch, and those
 * that do are touched after that.
 */

/* Without instructions: all accesses of a vCPU belong to number 0. */
static void add_orders(Stat *stat, StatVcpu *vcpu, const struct mt_batch *batch)
{
    StatSteps steps;

    for (size_t at = 0, count; at < batch->count; at += count) {
        count = MIN(batch->count - at, STAT_STEPS);
        for (size_t i = 0; i < count; i++)
            stat_step(vcpu->instructions, batch->address[at + i], &steps, i);
        for (size_t i = 0; stat->keeps_beginnings && i < count && steps.accesses[i] < STAT_BEGINNING; i++)
            stat_keep_beginning(
                vcpu, 0, &(StatAccess){ batch->address[at + i], mt_size(batch->info[at + i]), steps.accesses[i], 0 });
        stat_judge(stat->way, &steps, batch->address + at, batch->info + at, count, vcpu->by_order);
    }
}

static void add_alone(Stat *stat, StatVcpu *vcpu, const struct mt_batch *batch)
{
    StatSteps steps;

    for (size_t at = 0, count; at < batch->count; at += count) {
        uint64_t leaving;

        count = MIN(batch->count - at, STAT_STEPS);
        leaving = stat_follow(stat->way, vcpu->instructions, batch->instruction + at, batch->address + at,
                              batch->info + at, count, &steps, vcpu->by_order);
        for (; leaving; leaving &= leaving - 1) {
            size_t step = (size_t)__builtin_ctzll(leaving), i = at + step;
            StatAccess access = { batch->address[i], mt_size(batch->info[i]), steps.accesses[step], 0 };

            if (stat->keeps_beginnings && access.accesses < STAT_BEGINNING)
                stat_keep_beginning(vcpu, batch->instruction[i], &access);
            stat_touch(stat, &stat->pages, &vcpu->instructions[batch->instruction[i]].page, &access);
        }
    }
}

/* The tags of the records of groups. */
typedef struct {
    uint32_t all;         /* the tag of all records */
    const uint32_t *each; /* or of each record of the batch; NULL: all have the same */
} Tags;

static inline uint32_t tag_of(Tags tags, size_t i, uint8_t info)
{
    return stat_tag(tags.each ? tags.each[i] : tags.all, info);
}

/* Makes the steps of `count` accesses, at most STAT_STEPS. Returns a bit for each that has another tag than its
 * instruction's last one. */
static inline __attribute__((always_inline)) uint64_t step_tagged(StatInstruction *instructions,
                                                                  const struct mt_batch *batch, size_t begin,
                                                                  size_t count, Tags tags, StatSteps *steps)
{
    const uint64_t *addresses = batch->address + begin;
    const uint32_t *numbers = batch->instruction + begin;
    uint64_t retagged = 0;

    for (size_t i = 0; i < count; i++) {
        StatInstruction *instruction = &instructions[numbers[i]];
        uint8_t info = batch->info[begin + i];
        uint32_t tag = tag_of(tags, begin + i, info);

        stat_step(instruction, addresses[i], steps, i);
        retagged |= (uint64_t)(instruction->tag != tag) << i;
        instruction->tag = tag;
        steps->stores[i] = instruction->stores;
        instruction->stores += mt_is_store(info);
    }
    return retagged;
}

/* It is inlined for each kind of tags. */
static inline __attribute__((always_inline)) void
add_with_tags(Stat *stat, StatVcpu *vcpu, const struct mt_batch *batch, size_t begin, size_t end, Tags tags)
{
    StatSteps steps;

    for (size_t at = begin, count; at < end; at += count) {
        uint64_t leaving;

        count = MIN(end - at, STAT_STEPS);
        leaving = step_tagged(vcpu->instructions, batch, at, count, tags, &steps);
        leaving |= stat_judge(stat->way, &steps, batch->address + at, batch->info + at, count, vcpu->by_order);
        for (; leaving; leaving &= leaving - 1) {
            size_t step = (size_t)__builtin_ctzll(leaving), i = at + step;
            uint8_t info = batch->info[i];
            StatAccess access = { batch->address[i], mt_size(info), steps.accesses[step], steps.stores[step] };

            stat_touch_of_group(stat, vcpu, batch->instruction[i], tag_of(tags, i, info), &access);
        }
    }
}

static __attribute__((noinline)) void add_tagged(Stat *stat, StatVcpu *vcpu, const struct mt_batch *batch, size_t begin,
                                                 size_t end, uint32_t tag)
{
    add_with_tags(stat, vcpu, batch, begin, end, (Tags){ .all = tag });
}

static __attribute__((noinline)) void add_each_tagged(Stat *stat, StatVcpu *vcpu, const struct mt_batch *batch,
                                                      size_t begin, size_t end, const uint32_t *tags)
{
    add_with_tags(stat, vcpu, batch, begin, end, (Tags){ .each = tags });
}

static void add_run(Stat *stat, StatVcpu *vcpu, const struct mt_batch *batch, const GroupRun *run)
{
    if (run->groups)
        add_each_tagged(stat, vcpu, batch, run->begin, run->end, run->groups);
    else
        add_tagged(stat, vcpu, batch, run->begin, run->end, run->tag);
}

/* A number that is below twice the highest of all, and not below that. */
static uint32_t bound_of(const uint32_t *numbers, size_t count)
{
    uint64_t pair, bits = 0;
    size_t i = 0;

    for (; i + 2 <= count; i += 2) {
        memcpy(&pair, numbers + i, sizeof pair);
        bits |= pair;
    }
    if (i < count)
        bits |= numbers[i];
    return (uint32_t)(bits | bits >> 32);
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
    if (batch->instruction) {
        stat_make_room(vcpu, bound_of(batch->instruction, batch->count));
        add_alone(stat, vcpu, batch);
    } else {
        stat_make_room(vcpu, 0);
        add_pages(stat, batch);
        add_orders(stat, vcpu, batch);
    }
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
    stat_make_room(vcpu, bound_of(batch->instruction, batch->count));
    if (!vcpu->in_groups)
        vcpu->in_groups = g_new0(StatInGroup, vcpu->room);
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
