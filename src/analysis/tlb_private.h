/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of `tlb`: tlb.c counts, tlb_result.c describes the result. */
#ifndef MEMORY_TRACER_ANALYSIS_TLB_PRIVATE_H
#define MEMORY_TRACER_ANALYSIS_TLB_PRIVATE_H

#include "cache_model.h"
#include "cache_options.h"
#include "kind_counts.h"
#include "places.h"
#include "tlb.h"
#include "tlb_options.h"

#define TLB_HALVES 2 /* of the addresses: the lower one is the processes', the upper one the kernel's */
/* Kinds of pages: one for each size, and one for pages of unknown size, which are simulated as the smallest. */
#define TLB_PAGE_KINDS (TLB_PAGES + 1)
#define TLB_PAGE_UNKNOWN TLB_PAGES

typedef struct {
    uint64_t lookups, misses[TLB_LEVELS];
} TlbCounts;

/* A page that is looked up in a stretch. What that does isn't known before the TLBs are that were at the stretch's
 * begin. */
typedef struct {
    uint64_t address; /* in the page */
    uint64_t victim;  /* the word of the page that the first level replaces, if that is known; else 0 */
    uint32_t instruction;
    uint16_t vcpu;
    uint8_t kind, cpl;
} TlbEvent;

/* A vCPU's own. */
typedef struct {
    unsigned number;
    CacheArray *array[TLB_LEVELS][TLB_PAGES]; /* or NULL */
    TlbCounts counts[CACHE_CPLS];             /* lookups here are only those of accesses' second pages */
    KindCounts kinds;                         /* records */
    uint64_t by_page[TLB_PAGE_KINDS];         /* likewise, where sizes are as recorded */
    uint64_t page_misses[TLB_LEVELS][TLB_PAGE_KINDS];
} TlbVcpu;

typedef struct {
    const TlbOptions *options;
    const Context *context;
    TlbDesign design;
    TlbVcpu *vcpus[CACHE_MAX_VCPUS];              /* or NULL */
    unsigned page[TLB_HALVES], shift[TLB_HALVES]; /* TLB_RECORDED: each page has its own */
    bool recorded;                                /* in one half or both */
    Places places[TLB_LEVELS];
    GArray *events; /* TlbEvent: of a stretch before which others come; else NULL */
} Tlb;

/* The result: see AnalysisType. */
void tlb_describe(void *data, Report *report);

#endif
