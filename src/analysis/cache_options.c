/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options of caches: see cache_options.h. */
#include "cache_options.h"

#include <string.h>

#include "../base/error.h"
#include "../base/sizes.h"
#include "cache_machines.h"

#define DEFAULT_LINE_BYTES 64
#define LEAST_LINE_BYTES 16 /* a CacheArray's word has 4 flags below the line's number */
#define MOST_LINE_BYTES 4096

static const char *const names[CACHE_LEVELS + 1] = { "l1d", "l2", "l3", NULL };
static const char *const policies[] = { "lru", "plru", "fifo", "random", "srrip", NULL };
static const char *const inclusions[] = { "non-inclusive", "inclusive", "exclusive", NULL };
static const char *const prefetchers[] = { "none", "next-line", "stride", NULL };
static const char *const writes[] = { "back", "through", NULL };

/* The number of a word in a list, or -1. */
static int find_word(const char *const *words, const char *word)
{
    for (int i = 0; words[i]; i++)
        if (!strcmp(words[i], word))
            return i;
    return -1;
}

static bool choose(const char *option, const char *const *words, const char *word, unsigned *chosen, GError **error)
{
    int number = find_word(words, word);
    g_autofree char *all = number < 0 ? g_strjoinv(", ", (char **)words) : NULL;

    if (number < 0)
        return mt_fail_usage(error, "--%s must be one of %s, but '%s' isn't", option, all, word);
    *chosen = (unsigned)number;
    return true;
}

bool cache_options_parse_policy(const char *word, CachePolicy *policy)
{
    int number = find_word(policies, word);

    *policy = (CachePolicy)MAX(number, 0);
    return number >= 0;
}

const char *cache_policy_name(CachePolicy policy)
{
    return policies[policy];
}

static bool parse_ways(const char *word, uint64_t lines, size_t *ways)
{
    uint64_t number;

    if (!strcmp(word, "full"))
        number = lines;
    else if (!g_ascii_string_to_unsigned(word, 10, 1, CACHE_MAX_BYTES, &number, NULL))
        return false;
    *ways = (size_t)number;
    return true;
}

static bool is_line(uint64_t bytes)
{
    return !(bytes & (bytes - 1)) && bytes >= LEAST_LINE_BYTES && bytes <= MOST_LINE_BYTES;
}

/* Parses SIZE,WAYS[,LINE] into bytes, sets and ways. LINE must be `line_bytes`. */
static bool parse_level(const char *option, const char *text, uint64_t line_bytes, CacheLevel *level, GError **error)
{
    g_auto(GStrv) words = g_strsplit(text, ",", -1);
    guint count = g_strv_length(words);
    uint64_t own_line = line_bytes;

    if (count < 2 || count > 3 || !sizes_parse(words[0], &level->bytes) ||
        (count == 3 && !sizes_parse(words[2], &own_line)))
        return mt_fail_usage(
            error, "--%s must be SIZE,WAYS[,LINE], such as 32K,8 or 32K,8,64, or 'none', but '%s' isn't", option, text);
    if (!is_line(own_line))
        return mt_fail_usage(error,
                             "--%s: a line must be a power of two of %d to %d bytes, but %" G_GUINT64_FORMAT " isn't",
                             option, LEAST_LINE_BYTES, MOST_LINE_BYTES, own_line);
    if (own_line != line_bytes)
        return mt_fail_usage(error,
                             "--%s: all levels must have lines of one size, but here it is %" G_GUINT64_FORMAT
                             ", elsewhere %" G_GUINT64_FORMAT,
                             option, own_line, line_bytes);
    if (!level->bytes || level->bytes > CACHE_MAX_BYTES)
        return mt_fail_usage(error, "--%s: a cache must have 1 byte to 16G, but %s isn't", option, words[0]);
    if (!parse_ways(words[1], level->bytes / own_line, &level->ways))
        return mt_fail_usage(error, "--%s: the ways must be a number or 'full', but '%s' isn't", option, words[1]);
    if (!level->ways || level->ways > level->bytes || level->bytes % (level->ways * own_line))
        return mt_fail_usage(error, "--%s: %s can't be divided into %s ways of lines of %" G_GUINT64_FORMAT " bytes",
                             option, words[0], words[1], own_line);
    level->sets = level->bytes / (level->ways * own_line);
    return true;
}

/* The first LINE of the levels' SIZE,WAYS,LINE, as all levels must have the same; or the default. */
static uint64_t find_line_bytes(const CacheOptions *options)
{
    uint64_t bytes;

    for (unsigned i = 0; i < CACHE_LEVELS; i++) {
        g_auto(GStrv) words = g_strsplit(options->level[i], ",", -1);

        if (g_strv_length(words) == 3 && sizes_parse(words[2], &bytes))
            return bytes;
    }
    return DEFAULT_LINE_BYTES;
}

/* The index of the level's name in `names`. */
static unsigned level_index(const CacheLevel *level)
{
    return (unsigned)find_word(names, level->name);
}

/* Parses one word for all levels, or one word for each level from names[first] on. */
static bool parse_list(const char *option, const char *text, const char *const *words, const CacheDesign *design,
                       unsigned first, unsigned *chosen, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);
    guint count = g_strv_length(parts);

    for (guint i = 0; i < count; i++) {
        unsigned ignored;

        if (!choose(option, words, parts[i], &ignored, error))
            return false;
    }
    if (count > CACHE_LEVELS - first)
        return mt_fail_usage(error, "--%s has more words than there are levels: '%s'", option, text);
    for (unsigned i = 0; i < design->levels; i++) {
        unsigned index = level_index(&design->level[i]);

        if (index < first)
            continue;
        if (count > 1 && index - first >= count)
            return mt_fail_usage(error,
                                 "--%s must be one word, or one for each level from %s on, but '%s' has none "
                                 "for %s",
                                 option, names[first], text, names[index]);
        chosen[i] = (unsigned)find_word(words, parts[count == 1 ? 0 : index - first]);
    }
    return true;
}

static bool parse_levels(const CacheOptions *options, CacheDesign *design, GError **error)
{
    uint64_t line_bytes = find_line_bytes(options);

    for (unsigned i = 0; i < CACHE_LEVELS; i++) {
        CacheLevel *level = &design->level[design->levels];

        if (!strcmp(options->level[i], "none"))
            continue;
        *level = (CacheLevel){ .name = names[i] };
        if (!parse_level(names[i], options->level[i], line_bytes, level, error))
            return false;
        design->levels++;
    }
    if (!design->levels)
        return mt_fail_usage(error, "there is no cache: one of --l1d, --l2 and --l3 must not be 'none'");
    design->line_shift = (unsigned)__builtin_ctzll(line_bytes);
    return true;
}

static bool parse_shared(const char *text, CacheDesign *design, GError **error)
{
    g_auto(GStrv) words = g_strsplit(text, ",", -1);

    for (char **word = words; *word; word++) {
        if (strcmp(*word, "none") && find_word(names, *word) < 0)
            return mt_fail_usage(error, "--shared must be of l1d, l2 and l3, or 'none', but '%s' isn't", *word);
        for (unsigned i = 0; i < design->levels; i++)
            design->level[i].shared |= !strcmp(design->level[i].name, *word);
    }
    for (unsigned i = 1; i < design->levels; i++)
        if (design->level[i - 1].shared && !design->level[i].shared)
            return mt_fail_usage(error, "--shared: %s can't be each vCPU's own below a shared %s",
                                 design->level[i].name, design->level[i - 1].name);
    return true;
}

static bool check(const CacheDesign *design, GError **error)
{
    for (unsigned i = 0; i < design->levels; i++) {
        const CacheLevel *level = &design->level[i];

        if (level->policy == CACHE_PLRU && (level->ways & (level->ways - 1) || level->ways > CACHE_MAX_PLRU_WAYS))
            return mt_fail_usage(error, "--policy plru needs a power of two of at most %d ways, but %s has %zu",
                                 CACHE_MAX_PLRU_WAYS, level->name, level->ways);
    }
    if (design->write_through && design->levels > 1 && design->level[1].inclusion == CACHE_EXCLUSIVE)
        return mt_fail_usage(error,
                             "--write through can't be used above an exclusive %s: that has no line that the "
                             "first level has",
                             design->level[1].name);
    return true;
}

static bool parse_rest(const CacheOptions *options, CacheDesign *design, GError **error)
{
    unsigned policy[CACHE_LEVELS] = { 0 }, inclusion[CACHE_LEVELS] = { 0 }, write = 0, prefetch = 0;

    if (!parse_list("policy", options->policy, policies, design, 0, policy, error) ||
        !parse_list("inclusion", options->inclusion, inclusions, design, 1, inclusion, error) ||
        !choose("write", writes, options->write, &write, error) ||
        !choose("prefetch", prefetchers, options->prefetch, &prefetch, error) ||
        !parse_shared(options->shared, design, error))
        return false;
    for (unsigned i = 0; i < design->levels; i++) {
        design->level[i].policy = (CachePolicy)policy[i];
        design->level[i].inclusion = i ? (CacheInclusion)inclusion[i] : CACHE_NON_INCLUSIVE;
    }
    design->write_through = write;
    design->no_allocate = options->no_allocate;
    design->prefetch = (CachePrefetch)prefetch;
    design->classify = options->classify;
    return check(design, error);
}

/* Whether all settings are the machine's. */
static bool are_machines_own(const CacheOptions *options)
{
    return !options->level[0] && !options->level[1] && !options->level[2] && !options->shared && !options->policy &&
           !options->write && !options->inclusion && !options->prefetch && !options->no_allocate;
}

bool cache_options_design(const CacheOptions *options, CacheDesign *design, GError **error)
{
    CacheOptions whole = *options; /* the options, and the machine's settings for those that aren't given */
    g_autoptr(CacheMachine) machine = cache_machine_open(options->machine, error);

    if (!machine)
        return false;
    *design = (CacheDesign){ 0 };
    for (unsigned i = 0; i < CACHE_LEVELS; i++)
        cache_machine_set(machine, names[i], "none", &whole.level[i]);
    cache_machine_set(machine, "shared", "l3", &whole.shared);
    cache_machine_set(machine, "policy", "lru", &whole.policy);
    cache_machine_set(machine, "write", "back", &whole.write);
    cache_machine_set(machine, "inclusion", "non-inclusive", &whole.inclusion);
    cache_machine_set(machine, "prefetch", "none", &whole.prefetch);
    whole.no_allocate |= cache_machine_has_flag(machine, "no-allocate");
    if (parse_levels(&whole, design, error) && parse_rest(&whole, design, error))
        return true;
    if (options->machine && are_machines_own(options))
        g_prefix_error(error, "%s: ", options->machine);
    return false;
}
