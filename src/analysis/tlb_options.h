/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options of TLBs, and the design that they describe. */
#ifndef MEMORY_TRACER_ANALYSIS_TLB_OPTIONS_H
#define MEMORY_TRACER_ANALYSIS_TLB_OPTIONS_H

#include <glib.h>
#include <stdbool.h>

#include "cache_array.h"

#define TLB_LEVELS 2
#define TLB_PAGES 3    /* the number of page sizes: 4 KiB, 2 MiB, 1 GiB */
#define TLB_RECORDED 3 /* instead of a size's index: each page has the size that was recorded */

/* As GOption leaves them; NULL: not given. */
typedef struct TlbOptions {
    char *level[TLB_LEVELS][TLB_PAGES]; /* ENTRIES,WAYS or "none" */
    char *page_size, *kernel_page_size, *policy;
    int walk_cycles, top;
} TlbOptions;

/* The part of a level that is for pages of one size. */
typedef struct TlbPart {
    uint64_t entries, sets; /* 0: there is none */
    size_t ways;
} TlbPart;

typedef struct TlbDesign {
    TlbPart part[TLB_LEVELS][TLB_PAGES];
    unsigned page, kernel_page; /* the page size of the lower and the upper half of the addresses, or TLB_RECORDED */
    CachePolicy policy;
} TlbDesign;

/* The design that the options describe. False with a usage error if they make no sense. `has_sizes`: whether the trace
 * has the sizes of pages, which are the default then. */
bool tlb_options_design(const TlbOptions *options, bool has_sizes, TlbDesign *design, GError **error);
/* Whether the options allow recorded sizes, if the trace has them; and whether they demand them. */
bool tlb_options_may_use_sizes(const TlbOptions *options);
bool tlb_options_need_sizes(const TlbOptions *options);
/* The name of a page size, "4K" and so on, or "recorded"; and log2 of its bytes. */
const char *tlb_page_name(unsigned page);
unsigned tlb_page_shift(unsigned page);

#endif
