/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options of TLBs: see tlb_options.h. The defaults are those of Intel's client Skylake (Optimization Reference
 * Manual, 248966), except that there, pages of 4 KiB and 2 MiB share the L2 TLB.
 */
#include "tlb_options.h"

#include <string.h>

#include "../base/error.h"
#include "cache_options.h"

#define MOST_ENTRIES (1u << 24)

static const char *const page_names[TLB_PAGES + 1] = { "4K", "2M", "1G", [TLB_RECORDED] = "recorded" };
static const char *const option_names[TLB_PAGES] = { "4k", "2m", "1g" };
static const char *const defaults[TLB_LEVELS][TLB_PAGES] = { { "64,4", "32,4", "4,full" },
                                                             { "1536,12", "1536,12", "16,4" } };

const char *tlb_page_name(unsigned page)
{
    return page_names[page];
}

unsigned tlb_page_shift(unsigned page)
{
    return 12 + 9 * page;
}

static bool parse_part(unsigned level, unsigned page, const char *text, CachePolicy policy, TlbPart *part,
                       GError **error)
{
    g_auto(GStrv) words = g_strsplit(text, ",", -1);
    uint64_t ways = 0;

    if (level && !strcmp(text, "none"))
        return true;
    if (g_strv_length(words) != 2 || !g_ascii_string_to_unsigned(words[0], 10, 1, MOST_ENTRIES, &part->entries, NULL) ||
        (strcmp(words[1], "full") && !g_ascii_string_to_unsigned(words[1], 10, 1, MOST_ENTRIES, &ways, NULL)))
        return mt_fail_usage(error, "--l%u-%s must be ENTRIES,WAYS, such as 64,4, but '%s' isn't", level + 1,
                             option_names[page], text);
    part->ways = ways ? (size_t)ways : (size_t)part->entries;
    if (part->entries % part->ways)
        return mt_fail_usage(error, "--l%u-%s: %s entries can't be divided into %s ways", level + 1, option_names[page],
                             words[0], words[1]);
    part->sets = part->entries / part->ways;
    if (policy == CACHE_PLRU && (part->ways & (part->ways - 1) || part->ways > CACHE_MAX_PLRU_WAYS))
        return mt_fail_usage(error, "--policy plru needs a power of two of at most %d ways, but --l%u-%s has %zu",
                             CACHE_MAX_PLRU_WAYS, level + 1, option_names[page], part->ways);
    return true;
}

static bool parse_page(const char *option, const char *text, unsigned *page, GError **error)
{
    for (*page = 0; *page <= TLB_RECORDED; ++*page)
        if (!g_ascii_strcasecmp(text, page_names[*page]))
            return true;
    return mt_fail_usage(error, "--%s must be recorded, 4K, 2M or 1G, but '%s' isn't", option, text);
}

static bool is_recorded(const char *page)
{
    return page && !g_ascii_strcasecmp(page, page_names[TLB_RECORDED]);
}

bool tlb_options_may_use_sizes(const TlbOptions *options)
{
    return !options->page_size || tlb_options_need_sizes(options);
}

bool tlb_options_need_sizes(const TlbOptions *options)
{
    return is_recorded(options->page_size) || is_recorded(options->kernel_page_size);
}

/* Whether a half of the addresses may have pages of this size. */
static bool is_used(const TlbDesign *design, unsigned page)
{
    return page == design->page || page == design->kernel_page || design->page == TLB_RECORDED ||
           design->kernel_page == TLB_RECORDED;
}

bool tlb_options_design(const TlbOptions *options, bool has_sizes, TlbDesign *design, GError **error)
{
    const char *page = options->page_size ? options->page_size : page_names[has_sizes ? TLB_RECORDED : 0];

    *design = (TlbDesign){ 0 };
    if (!parse_page("page-size", page, &design->page, error) ||
        !parse_page("kernel-page-size", options->kernel_page_size ? options->kernel_page_size : page,
                    &design->kernel_page, error))
        return false;
    if (!cache_options_parse_policy(options->policy ? options->policy : "lru", &design->policy))
        return mt_fail_usage(error, "--policy must be lru, plru, fifo, random or srrip, but '%s' isn't",
                             options->policy);
    if (options->walk_cycles < 0)
        return mt_fail_usage(error, "--walk-cycles can't be negative, but %d is.", options->walk_cycles);
    for (unsigned level = 0; level < TLB_LEVELS; level++)
        for (unsigned i = 0; i < TLB_PAGES; i++) {
            const char *own = options->level[level][i];

            if ((own || is_used(design, i)) &&
                !parse_part(level, i, own ? own : defaults[level][i], design->policy, &design->part[level][i], error))
                return false;
        }
    return true;
}
