/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Simulates two levels of data TLBs. Exact, for the TLBs and page sizes that are simulated; the figures are defined in
 * memory_tracer-tlb(1). Memory: 8 bytes for each entry, and for each instruction and level; with --jobs, 24 for each
 * miss of the first level in the stretches of the trace that are read. */
#include "../base/error.h"
#include "tlb_private.h"

static void *tlb_begin(const AnalysisType *type, const void *options, const Context *context, GError **error)
{
    const TlbOptions *own = options;
    TlbDesign design;
    Tlb *tlb;

    (void)type;
    if (own->top < 0) {
        mt_fail_usage(error, "--top can't be negative, but %d is.", own->top);
        return NULL;
    }
    if (tlb_options_need_sizes(own) && !context_has_page_sizes(context)) {
        mt_fail(error, "the trace doesn't tell the sizes of pages (it must be recorded with --fields paddr)");
        return NULL;
    }
    if (!tlb_options_design(own, context_has_page_sizes(context), &design, error))
        return NULL;
    tlb = g_new0(Tlb, 1);
    tlb->options = own;
    tlb->context = context;
    tlb->design = design;
    tlb->page[0] = design.page;
    tlb->page[1] = design.kernel_page;
    for (unsigned half = 0; half < TLB_HALVES; half++)
        tlb->shift[half] = tlb_page_shift(tlb->page[half]);
    tlb->recorded = tlb->page[0] == TLB_RECORDED || tlb->page[1] == TLB_RECORDED;
    return tlb;
}

static void free_vcpu(TlbVcpu *vcpu)
{
    for (unsigned level = 0; vcpu && level < TLB_LEVELS; level++)
        for (unsigned page = 0; page < TLB_PAGES; page++)
            cache_array_free(vcpu->array[level][page]);
    g_free(vcpu);
}

static void tlb_end(void *data)
{
    Tlb *tlb = data;

    g_clear_pointer(&tlb->events, g_array_unref);
    for (unsigned i = 0; i < CACHE_MAX_VCPUS; i++)
        free_vcpu(tlb->vcpus[i]);
    for (unsigned level = 0; level < TLB_LEVELS; level++)
        places_clear(&tlb->places[level]);
    g_free(tlb);
}

static TlbVcpu *get_vcpu(Tlb *tlb, unsigned number)
{
    TlbVcpu **vcpu = &tlb->vcpus[number % CACHE_MAX_VCPUS];

    if (*vcpu)
        return *vcpu;
    *vcpu = g_new0(TlbVcpu, 1);
    (*vcpu)->number = number;
    for (unsigned level = 0; level < TLB_LEVELS; level++)
        for (unsigned page = 0; page < TLB_PAGES; page++) {
            const TlbPart *part = &tlb->design.part[level][page];

            if (part->entries)
                (*vcpu)->array[level][page] = cache_array_new(part->sets, part->ways, tlb->design.policy);
        }
    return *vcpu;
}

static unsigned half_of(uint64_t address)
{
    return (unsigned)(address >> 63);
}

static const unsigned char kind_shifts[TLB_PAGE_KINDS] = { 12, 21, 30, [TLB_PAGE_UNKNOWN] = 12 };
static const unsigned char kind_sizes[TLB_PAGE_KINDS] = { 0, 1, 2, [TLB_PAGE_UNKNOWN] = 0 };

/* The kind of page that a record's address is in (TLB_PAGE_KINDS). */
static inline unsigned kind_of(const Tlb *tlb, const struct mt_batch *batch, size_t i, unsigned half)
{
    unsigned shift;

    if (tlb->page[half] != TLB_RECORDED)
        return tlb->page[half];
    shift = batch->page_size ? batch->page_size[i] : 0;
    return shift == 12 ? 0 : shift == 21 ? 1 : shift == 30 ? 2 : TLB_PAGE_UNKNOWN;
}

/* Looks the page up in a stretch: if what that does isn't certain (cache_stretch.c), it becomes an event. */
static void look_up_in_stretch(Tlb *tlb, TlbVcpu *vcpu, uint64_t address, unsigned kind, unsigned cpl,
                               uint32_t instruction)
{
    CacheArray *array = vcpu->array[0][kind_sizes[kind]];
    uint64_t page = address >> kind_shifts[kind];
    size_t slot = cache_array_find(array, page);
    TlbEvent event = { .address = address,
                       .instruction = instruction,
                       .vcpu = (uint16_t)vcpu->number,
                       .kind = (uint8_t)kind,
                       .cpl = (uint8_t)cpl };

    if (slot != CACHE_NOT_FOUND) {
        cache_array_touch(array, page, slot);
        return;
    }
    event.victim = cache_array_insert(array, page, 0);
    g_array_append_val(tlb->events, event);
}

/* Looks the page up. A level that misses gets the page. */
static void look_up(Tlb *tlb, TlbVcpu *vcpu, uint64_t address, unsigned kind, unsigned cpl, uint32_t instruction)
{
    uint64_t page = address >> kind_shifts[kind];

    if (tlb->events) {
        look_up_in_stretch(tlb, vcpu, address, kind, cpl, instruction);
        return;
    }
    for (unsigned level = 0; level < TLB_LEVELS; level++) {
        CacheArray *array = vcpu->array[level][kind_sizes[kind]];
        size_t slot = array ? cache_array_find(array, page) : CACHE_NOT_FOUND;

        if (slot != CACHE_NOT_FOUND) {
            cache_array_touch(array, page, slot);
            return;
        }
        vcpu->counts[cpl].misses[level]++;
        vcpu->page_misses[level][kind]++;
        places_add(&tlb->places[level], instruction);
        if (array)
            cache_array_insert(array, page, 0);
    }
}

static void add_slowly(Tlb *tlb, TlbVcpu *vcpu, const struct mt_batch *batch, size_t i)
{
    uint64_t address = batch->address[i], last = address + mt_size(batch->info[i]) - 1;
    unsigned half = half_of(address), kind = kind_of(tlb, batch, i, half), cpl = mt_cpl(batch->info[i]);
    uint32_t instruction = batch->instruction ? batch->instruction[i] : 0;

    look_up(tlb, vcpu, address, kind, cpl, instruction);
    if (half_of(last) == half && last >> kind_shifts[kind] == address >> kind_shifts[kind])
        return;
    vcpu->counts[cpl].lookups++;
    look_up(tlb, vcpu, last, half_of(last) == half ? kind : kind_of(tlb, batch, i, half_of(last)), cpl, instruction);
}

/* Counts kinds, too, in one pass. Most accesses hit the first level, and most of those the page that its set has used
 * last. */
static void add_records_of_one_size(Tlb *tlb, TlbVcpu *vcpu, const struct mt_batch *batch)
{
    const CacheArray array = *vcpu->array[0][tlb->page[0]]; /* stays in registers */
    unsigned shift = tlb->shift[0];

    for (size_t i = 0; i < batch->count; i++) {
        uint64_t address = batch->address[i], page = address >> shift;
        uint8_t info = batch->info[i];

        kind_counts_add(&vcpu->kinds, i, info);
        if (G_UNLIKELY((address + mt_size(info) - 1) >> shift != page) || !cache_array_hits(&array, page, false))
            add_slowly(tlb, vcpu, batch, i);
    }
}

/* The same where the halves' pages have different sizes, but for kinds. */
static void add_records(Tlb *tlb, TlbVcpu *vcpu, const struct mt_batch *batch)
{
    const CacheArray arrays[TLB_HALVES] = { *vcpu->array[0][tlb->page[0]], *vcpu->array[0][tlb->page[1]] };
    const unsigned shift[TLB_HALVES] = { tlb->shift[0], tlb->shift[1] };

    for (size_t i = 0; i < batch->count; i++) {
        uint64_t address = batch->address[i], last = address + mt_size(batch->info[i]) - 1;
        unsigned half = half_of(address);

        if (G_UNLIKELY(last >> shift[half] != address >> shift[half]) ||
            !cache_array_hits(&arrays[half], address >> shift[half], false))
            add_slowly(tlb, vcpu, batch, i);
    }
}

/* The same where sizes are as recorded. */
static void add_records_of_sizes(Tlb *tlb, TlbVcpu *vcpu, const struct mt_batch *batch)
{
    CacheArray arrays[TLB_PAGES];
    uint64_t counts[TLB_PAGE_KINDS] = { 0 };

    for (unsigned size = 0; size < TLB_PAGES; size++)
        arrays[size] = *vcpu->array[0][size];
    for (size_t i = 0; i < batch->count; i++) {
        uint64_t address = batch->address[i], last = address + mt_size(batch->info[i]) - 1;
        unsigned kind = kind_of(tlb, batch, i, half_of(address)), shift = kind_shifts[kind], size = kind_sizes[kind];

        counts[kind]++;
        if (G_UNLIKELY(last >> shift != address >> shift) || !cache_array_hits(&arrays[size], address >> shift, false))
            add_slowly(tlb, vcpu, batch, i);
    }
    for (unsigned kind = 0; kind < TLB_PAGE_KINDS; kind++)
        vcpu->by_page[kind] += counts[kind];
}

static bool tlb_add(void *data, const struct mt_batch *batch, GError **error)
{
    Tlb *tlb = data;
    TlbVcpu *vcpu = get_vcpu(tlb, batch->vcpu);

    (void)error;
    if (!tlb->recorded && tlb->page[0] == tlb->page[1]) {
        add_records_of_one_size(tlb, vcpu, batch);
        return true;
    }
    kind_counts_add_all(&vcpu->kinds, batch->info, batch->count);
    if (tlb->recorded)
        add_records_of_sizes(tlb, vcpu, batch);
    else
        add_records(tlb, vcpu, batch);
    return true;
}

/* Parts of the work: stretches of the trace. Parts by sets would gain nothing: each of them would have to look at each
 * record, which takes about as long as all that is done with it. */

static bool can_be_in_turn(const TlbDesign *design)
{
    for (unsigned page = 0; page < TLB_PAGES; page++) {
        const TlbPart *part = &design->part[0][page];

        if (part->entries && !cache_array_is_small(part->sets, part->ways))
            return false;
    }
    return design->policy == CACHE_LRU;
}

static AnalysisDivision tlb_divide(const void *options, unsigned jobs)
{
    TlbDesign design;

    (void)jobs;
    if (!tlb_options_design(options, true, &design, NULL))
        return (AnalysisDivision){ 0 };
    if (can_be_in_turn(&design))
        return (AnalysisDivision){ .split = ANALYSIS_IN_TURN };
    return (AnalysisDivision){ .split = ANALYSIS_BY_KEY,
                               .why_not =
                                   "stretches can be simulated apart only of a first level that is LRU and small" };
}

static void tlb_take_part(void *data, const AnalysisPart *part)
{
    Tlb *tlb = data;

    if (part->number)
        tlb->events = g_array_new(FALSE, FALSE, sizeof(TlbEvent));
}

/* Does what the stretch that is the next one did. */
static void replay(Tlb *tlb, const Tlb *stretch)
{
    for (guint i = 0; i < stretch->events->len; i++) {
        const TlbEvent *event = &g_array_index(stretch->events, TlbEvent, i);
        TlbVcpu *vcpu = get_vcpu(tlb, event->vcpu);

        if (event->victim)
            cache_array_put_last(vcpu->array[0][kind_sizes[event->kind]], cache_word_line(event->victim));
        look_up(tlb, vcpu, event->address, event->kind, event->cpl, event->instruction);
    }
}

static void merge_vcpu(TlbVcpu *vcpu, const TlbVcpu *next)
{
    for (unsigned page = 0; page < TLB_PAGES; page++)
        if (next->array[0][page])
            cache_array_order_as(vcpu->array[0][page], next->array[0][page]);
    for (unsigned cpl = 0; cpl < CACHE_CPLS; cpl++)
        vcpu->counts[cpl].lookups += next->counts[cpl].lookups;
    for (unsigned kind = 0; kind < TLB_PAGE_KINDS; kind++)
        vcpu->by_page[kind] += next->by_page[kind];
    kind_counts_merge(&vcpu->kinds, &next->kinds);
}

static bool tlb_merge(void *data, void *other, GError **error)
{
    Tlb *tlb = data;
    const Tlb *next = other;

    (void)error;
    replay(tlb, next);
    for (unsigned i = 0; i < CACHE_MAX_VCPUS; i++)
        if (next->vcpus[i])
            merge_vcpu(get_vcpu(tlb, i), next->vcpus[i]);
    return true;
}

#define PART_OPTION(name, level_number, page_number, help)                                                             \
    {                                                                                                                  \
        name, G_OPTION_ARG_STRING, offsetof(TlbOptions, level[level_number][page_number]), help, "ENTRIES,WAYS"        \
    }

static const TlbOptions defaults = { .top = CACHE_DEFAULT_TOP };
static const AnalysisOption options[] = {
    { "page-size", G_OPTION_ARG_STRING, offsetof(TlbOptions, page_size),
      "The size that all pages have: 4K, 2M or 1G; or as it was recorded (default, if it was, else 4K)", "SIZE" },
    { "kernel-page-size", G_OPTION_ARG_STRING, offsetof(TlbOptions, kernel_page_size),
      "The same for the kernel's half of the addresses (default: --page-size)", "SIZE" },
    PART_OPTION("l1-4k", 0, 0, "The first level for 4-KiB pages (default: 64,4); WAYS may be 'full'"),
    PART_OPTION("l1-2m", 0, 1, "For 2-MiB pages (default: 32,4)"),
    PART_OPTION("l1-1g", 0, 2, "For 1-GiB pages (default: 4,full)"),
    PART_OPTION("l2-4k", 1, 0, "The second level for 4-KiB pages (default: 1536,12), or 'none'"),
    PART_OPTION("l2-2m", 1, 1, "For 2-MiB pages (default: 1536,12)"),
    PART_OPTION("l2-1g", 1, 2, "For 1-GiB pages (default: 16,4)"),
    { "policy", G_OPTION_ARG_STRING, offsetof(TlbOptions, policy),
      "Which entry goes: lru (default), plru, fifo, random or srrip", "POLICY" },
    { "walk-cycles", G_OPTION_ARG_INT, offsetof(TlbOptions, walk_cycles),
      "What a page-table walk costs, for the figures of cost", "CYCLES" },
    { "top", G_OPTION_ARG_INT, offsetof(TlbOptions, top), "Rows of the tables for each level (default: 10)", "N" },
    { NULL },
};

/* A live guest tells page sizes only if the options demand them, because they cost as much as physical addresses. */
static unsigned tlb_columns(const void *options)
{
    return tlb_analysis.columns | (tlb_options_may_use_sizes(options) ? MT_COLUMN_PAGE_SIZE : 0) |
           (tlb_options_need_sizes(options) ? MT_COLUMN_PADDR : 0);
}

const AnalysisType tlb_analysis = {
    .name = "tlb",
    .summary = "What data TLBs would make of the accesses: hits, page-table walks, and who causes most.",
    .columns = MT_COLUMN_ADDRESS | MT_COLUMN_INFO | MT_COLUMN_INSTRUCTION,
    .options = options,
    .defaults = &defaults,
    .options_bytes = sizeof defaults,
    .columns_for = tlb_columns,
    .begin = tlb_begin,
    .add = tlb_add,
    .describe = tlb_describe,
    .end = tlb_end,
    .divide = tlb_divide,
    .take_part = tlb_take_part,
    .merge = tlb_merge,
};
