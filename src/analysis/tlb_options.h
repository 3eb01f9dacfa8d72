/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What TLBs somebody has asked for. */
#ifndef MEMORY_TRACER_ANALYSIS_TLB_OPTIONS_H
#define MEMORY_TRACER_ANALYSIS_TLB_OPTIONS_H

#include <glib.h>
#include <stdbool.h>

#include "cache_array.h"

#define TLB_LEVELS 2
#define TLB_PAGES 3    /* sizes: 4 KiB, 2 MiB, 1 GiB */
#define TLB_RECORDED 3 /* instead of one: each page has the size that the trace tells */

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
    unsigned page, kernel_page; /* which size the lower and the upper half of the addresses have, or TLB_RECORDED */
    CachePolicy policy;
} TlbDesign;

/* False with a usage error if they make no sense. `has_sizes`: whether the trace tells the sizes of pages, which are
 * taken then if nobody asks for others. */
bool tlb_options_design(const TlbOptions *options, bool has_sizes, TlbDesign *design, GError **error);
/* Whether recorded sizes may be wanted: if the trace has them, or (second one) in any case. */
bool tlb_options_may_use_sizes(const TlbOptions *options);
bool tlb_options_need_sizes(const TlbOptions *options);
/* "4K" and so on, or "recorded"; and the logarithm of its bytes. */
const char *tlb_page_name(unsigned page);
unsigned tlb_page_shift(unsigned page);

#endif
