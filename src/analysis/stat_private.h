/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of `stat`: stat.c counts, stat_result.c describes the result. */
#ifndef MEMORY_TRACER_ANALYSIS_STAT_PRIVATE_H
#define MEMORY_TRACER_ANALYSIS_STAT_PRIVATE_H

#include "../../include/memory_tracer/record.h"
#include "kind_counts.h"
#include "page_table.h"
#include "stat.h"

#define STAT_MAX_VCPUS 256
#define STAT_PAGE_SHIFTS 64 /* base-2 logarithms of sizes */
#define STAT_RECENT_LINES 1024

enum stat_order { STAT_SAME, STAT_SEQUENTIAL, STAT_STRIDED, STAT_OTHER, STAT_ORDERS };

/* What is kept of an instruction for its next access: half a cache line. Its accesses are counted apart, or the
 * compiler would join two of its members into a vector to store them, which the next access of the instruction would
 * wait for. */
typedef struct {
    uint64_t address; /* of the last access */
    PageEntry *page;  /* the page that this is in; NULL: there was none */
    int64_t stride;   /* between the last two */
    uint32_t tag;     /* with groups: the tag of the last access (GroupRun) */
    uint32_t stores;  /* with groups: stores that no group has counted yet */
} __attribute__((aligned(32))) StatInstruction;

typedef struct StatGroup StatGroup; /* stat_groups.c */

/* How many of an instruction's accesses are counted elsewhere, too. */
typedef struct {
    uint64_t to_pages;
    uint64_t to_groups;
    StatGroup *group; /* of the last access; NULL: there was none */
} StatCounted;

/* The first two accesses of an instruction in a part of the trace: how they follow those before isn't known yet. */
typedef struct {
    uint64_t address[2];
    uint8_t bytes[2];
} StatBeginning;

#define STAT_TAG_SHIFT 2

static inline uint32_t stat_tag(uint32_t tag, uint8_t info)
{
    return tag << STAT_TAG_SHIFT | mt_cpl(info);
}

typedef struct {
    KindCounts kinds;
    uint64_t by_order[STAT_ORDERS];
    uint32_t expected;             /* instructions, as many as the trace has; 0: nobody knows */
    StatInstruction *instructions; /* by number */
    uint8_t *instructions_memory;  /* what they lie in, aligned */
    uint64_t *accesses;            /* likewise */
    StatCounted *counted;          /* likewise */
    uint32_t room;
    StatBeginning *beginnings; /* of parts but the first; by number */
    uint8_t *begun;            /* how many of both accesses have been made; likewise */
    uint32_t begun_room;
} StatVcpu;

typedef struct {
    const StatOptions *options;
    const Context *context;
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
/* The order of an access of this many bytes: `stride` from the instruction's last access, whose own stride was
 * `before`. */
enum stat_order stat_order(int64_t stride, int64_t before, int64_t bytes);

/* Parts (stat_parts.c): what a part but the first keeps of each batch; and AnalysisType's functions. */
void stat_keep_beginnings(StatVcpu *vcpu, const struct mt_batch *batch, uint32_t highest);
AnalysisDivision stat_divide(const void *options, unsigned jobs);
void stat_take_part(void *stat, const AnalysisPart *part);
bool stat_merge(void *stat, void *next, GError **error);

/* Groups (stat_groups.c). Says that there are groups. To be called before any record. */
void stat_begin_groups(Stat *stat);
/* The pages of the group that an instruction belongs to with this tag, before the access is counted. */
PageTable *stat_change_group(Stat *stat, StatVcpu *vcpu, uint32_t number, uint32_t tag);
/* Counts all instructions' accesses, which their pages know, to their groups, and the pages of all groups to those of
 * all records. */
void stat_gather_groups(Stat *stat);
/* To be called before this many records are counted. */
void stat_expect(Stat *stat, size_t records);
/* The pages of a group. */
PageTable *stat_pages_of(StatGroup *group);
/* AnalysisType's measure_group. */
void stat_measure_group(void *stat, guint group, uint64_t *values);

/* Counts an instruction's accesses to the page that it has accessed last. */
void stat_settle(StatVcpu *vcpu, uint32_t number);
/* AnalysisType's describe, and figures and measure. */
void stat_describe(void *stat, Report *report);
extern const ReportColumn stat_figures[];
void stat_measure(void *stat, uint64_t *values);

#endif
