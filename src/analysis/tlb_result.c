/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The result of `tlb`: the figures are defined in memory_tracer-tlb(1). */
#include "tlb_private.h"

static const char *const level_names[TLB_LEVELS] = { "l1", "l2" };

typedef struct {
    uint64_t accesses;
    TlbCounts counts;
} Sum;

/* The sum of some CPLs (a bit each) of one vCPU, or of all vCPUs (-1). */
static Sum sum(const Tlb *tlb, int number, unsigned cpls)
{
    Sum all = { 0 };

    for (int i = 0; i < CACHE_MAX_VCPUS; i++) {
        const TlbVcpu *vcpu = tlb->vcpus[i];

        if (!vcpu || (number >= 0 && number != i))
            continue;
        for (unsigned kind = 0; kind < KIND_COUNTS; kind++)
            all.accesses += cpls >> mt_cpl((uint8_t)kind) & 1 ? kind_counts_get(&vcpu->kinds, kind) : 0;
        for (unsigned cpl = 0; cpl < CACHE_CPLS; cpl++)
            if (cpls >> cpl & 1) {
                all.counts.lookups += vcpu->counts[cpl].lookups;
                for (unsigned level = 0; level < TLB_LEVELS; level++)
                    all.counts.misses[level] += vcpu->counts[cpl].misses[level];
            }
    }
    all.counts.lookups += all.accesses;
    return all;
}

static double per(uint64_t part, uint64_t all, double factor)
{
    return all ? factor * (double)part / (double)all : 0;
}

static void describe_tlbs(const Tlb *tlb, Report *report)
{
    static const ReportColumn columns[] = { { "level", "TLB", REPORT_TEXT },
                                            { "page", "pages", REPORT_TEXT },
                                            { "entries", "entries", REPORT_COUNT },
                                            { "sets", "sets", REPORT_COUNT },
                                            { "ways", "ways", REPORT_COUNT },
                                            { "reach", "reach in bytes", REPORT_COUNT },
                                            { NULL } };
    ReportTable *table = report_add_table(report, "tlbs", "TLBs", columns);

    for (unsigned level = 0; level < TLB_LEVELS; level++)
        for (unsigned page = 0; page < TLB_PAGES; page++) {
            const TlbPart *part = &tlb->design.part[level][page];

            if (part->entries && (tlb->recorded || page == tlb->page[0] || page == tlb->page[1]))
                report_table_add_row(table, level_names[level], tlb_page_name(page), part->entries, part->sets,
                                     (uint64_t)part->ways, part->entries << tlb_page_shift(page));
        }
}

static void describe_levels(const Sum *all, Report *report)
{
    static const ReportColumn columns[] = { { "name", "level", REPORT_TEXT },
                                            { "accesses", "lookups", REPORT_COUNT },
                                            { "hits", "hits", REPORT_COUNT },
                                            { "misses", "misses", REPORT_COUNT },
                                            { "miss_percent", "misses %", REPORT_REAL },
                                            { "misses_per_thousand_accesses", "per 1000 accesses", REPORT_REAL },
                                            { NULL } };
    ReportTable *table = report_add_table(report, "levels", "levels", columns);
    uint64_t lookups = all->counts.lookups;

    for (unsigned level = 0; level < TLB_LEVELS; level++) {
        uint64_t misses = all->counts.misses[level];

        report_table_add_row(table, level_names[level], lookups, lookups - misses, misses, per(misses, lookups, 100),
                             per(misses, all->accesses, 1000));
        lookups = misses;
    }
}

#define COLUMNS_OF_PARTS(name, label, kind)                                                                            \
    {                                                                                                                  \
        { name, label, kind }, { "accesses", "accesses", REPORT_COUNT }, { "l1_misses", "L1 misses", REPORT_COUNT },   \
            { "walks", "walks", REPORT_COUNT }, { "walks_per_thousand_accesses", "per 1000 accesses", REPORT_REAL },   \
        {                                                                                                              \
            NULL                                                                                                       \
        }                                                                                                              \
    }

/* Lookups and misses by recorded page size. */
static void describe_page_sizes(const Tlb *tlb, uint64_t accesses, Report *report)
{
    static const ReportColumn columns[] = {
        { "page_size", "pages", REPORT_TEXT }, { "accesses", "accesses", REPORT_COUNT },
        { "percent", "%", REPORT_REAL },       { "l1_misses", "L1 misses", REPORT_COUNT },
        { "walks", "walks", REPORT_COUNT },    { NULL }
    };
    ReportTable *table = report_add_table(report, "by_page_size", "by size of the page", columns);

    for (unsigned kind = 0; kind < TLB_PAGE_KINDS; kind++) {
        uint64_t records = 0, misses[TLB_LEVELS] = { 0 };

        for (unsigned i = 0; i < CACHE_MAX_VCPUS; i++) {
            records += tlb->vcpus[i] ? tlb->vcpus[i]->by_page[kind] : 0;
            for (unsigned level = 0; tlb->vcpus[i] && level < TLB_LEVELS; level++)
                misses[level] += tlb->vcpus[i]->page_misses[level][kind];
        }
        if (records)
            report_table_add_row(table, kind == TLB_PAGE_UNKNOWN ? "unknown" : tlb_page_name(kind), records,
                                 per(records, accesses, 100), misses[0], misses[1]);
    }
}

static void describe_modes(const Tlb *tlb, Report *report)
{
    static const ReportColumn columns[] = COLUMNS_OF_PARTS("mode", "by", REPORT_TEXT);
    static const char *const names[] = { "kernel", "user" };
    ReportTable *table = report_add_table(report, "by_mode", "by kernel and user code", columns);

    for (unsigned user = 0; user < 2; user++) {
        Sum own = sum(tlb, -1, user ? 8 : 7);

        if (own.accesses)
            report_table_add_row(table, names[user], own.accesses, own.counts.misses[0], own.counts.misses[1],
                                 per(own.counts.misses[1], own.accesses, 1000));
    }
}

static void describe_vcpus(const Tlb *tlb, Report *report)
{
    static const ReportColumn columns[] = COLUMNS_OF_PARTS("vcpu", "vCPU", REPORT_COUNT);
    unsigned vcpus = 0;
    ReportTable *table;

    for (unsigned i = 0; i < CACHE_MAX_VCPUS; i++)
        vcpus += !!tlb->vcpus[i];
    table = report_add_table(report, "by_vcpu", vcpus > 1 ? "by vCPU" : NULL, columns);
    for (int i = 0; i < CACHE_MAX_VCPUS; i++) {
        Sum own = sum(tlb, i, 15);

        if (own.accesses)
            report_table_add_row(table, (uint64_t)i, own.accesses, own.counts.misses[0], own.counts.misses[1],
                                 per(own.counts.misses[1], own.accesses, 1000));
    }
}

void tlb_describe(void *data, Report *report)
{
    const Tlb *tlb = data;
    Sum all = sum(tlb, -1, 15);
    uint64_t walks = all.counts.misses[TLB_LEVELS - 1], cycles = walks * (uint64_t)tlb->options->walk_cycles;

    report_add_count(report, "accesses", "accesses", all.accesses);
    report_add_text(report, "page_size", "page size", tlb_page_name(tlb->page[0]));
    report_add_text(report, "kernel_page_size", "in the kernel's half", tlb_page_name(tlb->page[1]));
    report_add_count(report, "walks", "page-table walks", walks);
    report_add_real(report, "walks_per_thousand_accesses", "walks per 1000 accesses", per(walks, all.accesses, 1000),
                    3);
    if (tlb->options->walk_cycles) {
        report_add_count(report, "walk_cycles", "cycles of walks", cycles);
        report_add_real(report, "walk_cycles_per_access", "cycles per access", per(cycles, all.accesses, 1), 3);
    }
    describe_tlbs(tlb, report);
    describe_levels(&all, report);
    if (tlb->recorded)
        describe_page_sizes(tlb, all.accesses, report);
    describe_modes(tlb, report);
    describe_vcpus(tlb, report);
    places_describe(tlb->places, level_names, TLB_LEVELS, (guint)tlb->options->top, tlb->context, report);
}
