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

typedef struct StatGroup StatGroup; /* stat_groups.c */

/* With groups: where an instruction's accesses are counted, too, and how many of them have been. */
typedef struct {
    PageEntry *page;  /* that the instruction is in; NULL: in none yet */
    StatGroup *group; /* of the last access; NULL: there was none */
    uint64_t to_group;
    uint32_t tag; /* that the group was found by */
    uint32_t stores_to_group;
} StatInGroup;

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
    StatInGroup *in_groups;        /* by number, with groups; else NULL */
    StatBeginning *beginnings;     /* by number, of parts but the first; else NULL */
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
/* An instruction that has made so many accesses leaves a page, and enters another one. As long as it is in a page, the
 * page's accesses lack all that the instruction has made so far, in this page or before; modulo 2^64. */
static inline void stat_leave_page(PageEntry *page, uint64_t accesses)
{
    if (page)
        page->accesses += accesses;
}
static inline void stat_enter_page(PageEntry *page, uint64_t accesses)
{
    if (page)
        page->accesses -= accesses;
}

/* Whether the bytes from `address` lie in two lines. */
static inline bool stat_crosses(uint64_t address, uint64_t bytes)
{
    return address % STAT_LINE_BYTES + bytes > STAT_LINE_BYTES;
}

/* An access to another line than the instruction's last one, or to two of them. */
static inline void stat_touch(Stat *stat, PageTable *pages, PageEntry **page, const StatAccess *access)
{
    PageEntry *next = page_table_touch(pages, access->address >> LINE_SHIFT);

    if (next != *page) {
        stat_leave_page(*page, access->accesses);
        stat_enter_page(next, access->accesses);
        *page = next;
    }
    if (G_UNLIKELY(stat_crosses(access->address, access->bytes)))
        stat_touch_second_line(stat, pages, access->address, access->bytes);
}

/* AnalysisType's describe, and figures and measure. */
void stat_describe(void *stat, Report *report);
extern const ReportColumn stat_figures[];
void stat_measure(void *stat, uint64_t *values);

#endif
