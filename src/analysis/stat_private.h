/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of `stat`: stat.c counts, stat_result.c describes the result. */
#ifndef MEMORY_TRACER_ANALYSIS_STAT_PRIVATE_H
#define MEMORY_TRACER_ANALYSIS_STAT_PRIVATE_H

#include "../../include/memory_tracer/record.h"
#include "kind_counts.h"
#include "page_table.h"
#include "stat.h"
#include "stat_steps.h"

#define STAT_MAX_VCPUS 256
#define STAT_PAGE_SHIFTS 64 /* base-2 logarithms of sizes */
#define STAT_RECENT_LINES 1024

/* What is kept of an instruction for its next access: half a cache line. */
typedef struct {
    uint64_t address; /* of the last access */
    uint64_t accesses;
    uint64_t stride; /* between the last two accesses */
    uint32_t tag;    /* with groups: the tag of the last access (GroupRun) */
    uint32_t stores; /* with groups: modulo 2^32 */
} __attribute__((aligned(32))) StatInstruction;

typedef struct StatGroup StatGroup; /* stat_groups.c */

/* Where an instruction's accesses are counted, too, and how many of them have been. */
typedef struct {
    PageEntry *page; /* of the last access; NULL: there was none */
    uint64_t to_page;
    StatGroup *group; /* of the last access; NULL: there was none */
    uint64_t to_group;
    uint32_t tag; /* that the group was found by */
    uint32_t stores_to_group;
} StatCounted;

/* The first two accesses of an instruction in a part of the trace: how they follow those before isn't known yet. */
typedef struct {
    uint64_t address[STAT_BEGINNING];
    uint8_t bytes[STAT_BEGINNING];
} StatBeginning;

/* An access, and what its instruction had made before it. */
typedef struct {
    uint64_t address, bytes;
    uint64_t accesses;
    uint32_t stores; /* with groups: modulo 2^32 */
} StatAccess;

#define STAT_TAG_SHIFT 2

static inline uint32_t stat_tag(uint32_t tag, uint8_t info)
{
    return tag << STAT_TAG_SHIFT | mt_cpl(info);
}

typedef struct {
    KindCounts kinds;
    uint64_t by_order[STAT_ORDERS];
    uint32_t expected;             /* instructions, as many as the trace has; else 0 */
    StatInstruction *instructions; /* by number */
    uint8_t *instructions_memory;  /* what they lie in, aligned */
    StatCounted *counted;          /* likewise */
    StatBeginning *beginnings;     /* likewise; of parts but the first, else NULL */
    uint32_t room;
} StatVcpu;

typedef struct {
    const StatOptions *options;
    const Context *context;
    enum stat_way way;               /* the fastest one that works */
    StatVcpu *vcpus[STAT_MAX_VCPUS]; /* or NULL */
    PageTable pages;
    uint64_t recent[STAT_RECENT_LINES]; /* with `brief`: lines (their numbers plus 1) that `pages` has already */
    uint64_t lines_crossed, pages_crossed;
    uint64_t by_page_shift[STAT_PAGE_SHIFTS]; /* where the trace tells sizes of pages; [0]: unknown */
    bool keeps_beginnings;                    /* it is a part, and not the first one */
    GPtrArray *groups;                        /* StatGroup, by number, or NULL; NULL: none are asked for */
    GroupFinder *finder;                      /* of the groups of the current batch */
    uint64_t unsettled;                       /* records since all instructions' stores were counted to groups */
} Stat;

/* The counts of a vCPU, which are made if there are none. */
StatVcpu *stat_get_vcpu(Stat *stat, unsigned number);
/* Makes room for the instruction of this number. */
void stat_make_room(StatVcpu *vcpu, uint32_t number);

/* Parts (stat_parts.c): what a part but the first keeps of an instruction's first STAT_BEGINNING accesses; and
 * AnalysisType's functions. */
void stat_keep_beginning(StatVcpu *vcpu, uint32_t number, const StatAccess *access);
AnalysisDivision stat_divide(const void *options, unsigned jobs);
void stat_take_part(void *stat, const AnalysisPart *part);
bool stat_merge(void *stat, void *next, GError **error);

/* Groups (stat_groups.c). Says that there are groups. To be called before any record. */
void stat_begin_groups(Stat *stat);
/* As stat_touch(), in the pages of the group that the instruction belongs to with this tag. */
void stat_touch_of_group(Stat *stat, StatVcpu *vcpu, uint32_t number, uint32_t tag, const StatAccess *access);
/* Counts all instructions' accesses, which their pages know, to their groups, and the pages of all groups to those of
 * all records. */
void stat_gather_groups(Stat *stat);
/* To be called before this many records are counted. */
void stat_expect(Stat *stat, size_t records);
/* AnalysisType's measure_group. */
void stat_measure_group(void *stat, guint group, uint64_t *values);

/* The second line of an access that crosses one, in a table of pages: that of all records, or of a group. */
void stat_touch_second_line(Stat *stat, PageTable *pages, uint64_t address, uint64_t bytes);
/* Counts those accesses of an instruction, of so many that it has made, to its last page that aren't counted yet. */
static inline void stat_settle_page(StatCounted *counted, uint64_t accesses)
{
    if (counted->page)
        counted->page->accesses += accesses - counted->to_page;
    counted->to_page = accesses;
}

/* Whether the bytes from `address` lie in two lines. */
static inline bool stat_crosses(uint64_t address, uint64_t bytes)
{
    return address % STAT_LINE_BYTES + bytes > STAT_LINE_BYTES;
}

/* An access to another line than the instruction's last one, or to two of them. */
static inline void stat_touch(Stat *stat, PageTable *pages, StatCounted *counted, const StatAccess *access)
{
    stat_settle_page(counted, access->accesses);
    counted->page = page_table_touch(pages, access->address >> LINE_SHIFT);
    if (G_UNLIKELY(stat_crosses(access->address, access->bytes)))
        stat_touch_second_line(stat, pages, access->address, access->bytes);
}

/* AnalysisType's describe, and figures and measure. */
void stat_describe(void *stat, Report *report);
extern const ReportColumn stat_figures[];
void stat_measure(void *stat, uint64_t *values);

#endif
