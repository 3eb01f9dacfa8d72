/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options that select some of a trace's records: see selection.h. */
#include "selection.h"

#include <string.h>

#include "../base/error.h"
#include "../base/options.h"
#include "../context/address_objects.h"
#include "named_parts.h"
#include "object_selection.h"

/* The options that make sense for running guests, too. To be freed. */
static GOptionEntry *live_entries(Selection *selection, const GOptionEntry *own)
{
    g_autofree char *regions = object_region_list("|");
    const GOptionEntry common[] = {
        { "cpl", 0, 0, G_OPTION_ARG_INT, &selection->cpl, "Only accesses of this privilege level (0 kernel, 3 user)",
          "N" },
        { "vcpu", 0, 0, G_OPTION_ARG_INT, &selection->vcpu, "Only accesses of this vCPU", "N" },
        { "loads", 0, 0, G_OPTION_ARG_NONE, &selection->loads, "Only loads", NULL },
        { "stores", 0, 0, G_OPTION_ARG_NONE, &selection->stores, "Only stores", NULL },
        { "address", 0, 0, G_OPTION_ARG_STRING, &selection->address,
          "Only accesses that touch these virtual addresses (A..B, hexadecimal, B not included), or this variable",
          "WHERE" },
        { "pc", 0, 0, G_OPTION_ARG_STRING, &selection->pc,
          "Only accesses by instructions at these addresses (A..B), or of this function", "WHERE" },
        { "function", 0, 0, G_OPTION_ARG_STRING_ARRAY, &selection->functions,
          "Only accesses by this function: * stands for any characters (may be given several times)", "NAME" },
        { "process", 0, 0, G_OPTION_ARG_STRING, &selection->process,
          "Only accesses by this process: its pid, or its name or program (may have the wildcards * and ?)",
          "NAME|PID" },
        { "thread", 0, 0, G_OPTION_ARG_STRING, &selection->thread, "Only accesses by this thread: its id, or its name",
          "NAME|TID" },
        { "object", 0, 0, G_OPTION_ARG_STRING_ARRAY, &selection->objects,
          "Only accesses to this object: a variable, \"stack of 123\", a file, a slab cache (may have the wildcards * "
          "and ?, and be given several times)",
          "NAME" },
        { "region", 0, 0, G_OPTION_ARG_STRING_ARRAY, &selection->regions,
          "Only accesses to this kind of memory (may be given several times)", g_intern_string(regions) },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };

    return options_join(own, common);
}

GOptionEntry *selection_entries(Selection *selection, const GOptionEntry *own)
{
    const GOptionEntry of_traces[] = {
        { "events", 0, 0, G_OPTION_ARG_STRING, &selection->events,
          "Only the records A to B - 1 of the trace, counted from 0 (either may be left out)", "A..B" },
        { "from", 0, 0, G_OPTION_ARG_STRING, &selection->format, "The input's format, if it can't be told",
          "auto|file|gmbeoo|compact" },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    g_autofree GOptionEntry *with_traces = options_join(own, of_traces);

    return live_entries(selection, with_traces);
}

GOptionEntry *selection_live_entries(Selection *selection, const GOptionEntry *own)
{
    const GOptionEntry none = { NULL, 0, 0, 0, NULL, NULL, NULL };
    GOptionEntry *live = live_entries(selection, &none), *all;

    for (GOptionEntry *entry = live; entry->long_name; entry++) {
        g_autofree char *description = g_strconcat("Analyse o", entry->description + 1, NULL); /* "Only ..." */

        entry->description = g_intern_string(description);
    }
    all = options_join(own, live);
    g_free(live);
    return all;
}

const char *selection_live_option(const Selection *selection)
{
    const struct {
        bool given;
        const char *name;
    } options[] = {
        { selection->cpl != SELECTION_ANY, "cpl" },
        { selection->vcpu != SELECTION_ANY, "vcpu" },
        { selection->loads, "loads" },
        { selection->stores, "stores" },
        { selection->address, "address" },
        { selection->pc, "pc" },
        { selection->functions, "function" },
        { selection->process, "process" },
        { selection->thread, "thread" },
        { selection->objects, "object" },
        { selection->regions, "region" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(options); i++)
        if (options[i].given)
            return options[i].name;
    return NULL;
}

void selection_clear(Selection *selection)
{
    g_free(selection->events);
    g_free(selection->address);
    g_free(selection->pc);
    g_strfreev(selection->functions);
    g_strfreev(selection->objects);
    g_strfreev(selection->regions);
    g_free(selection->process);
    g_free(selection->thread);
    g_free(selection->format);
}

/* "A..B", "A..", "..B" or "A", which is one. Numbers are in base `base`; with 16, a leading 0x is fine. */
static bool parse_range(const char *name, const char *text, unsigned base, Range *range, GError **error)
{
    g_auto(GStrv) ends = text ? g_strsplit(text, "..", 2) : NULL;
    uint64_t *numbers[] = { &range->begin, &range->end };
    bool fine = text && *text;

    *range = (Range){ 0, UINT64_MAX };
    if (!text)
        return true;
    for (int i = 0; i < 2 && fine && ends[i]; i++) {
        const char *digits = base == 16 && g_str_has_prefix(ends[i], "0x") ? ends[i] + 2 : ends[i];

        if (*ends[i])
            fine &= g_ascii_string_to_unsigned(digits, base, 0, UINT64_MAX, numbers[i], NULL);
    }
    if (fine && !ends[1]) {
        fine &= *ends[0] && range->begin < UINT64_MAX;
        range->end = range->begin + 1;
    }
    return (fine && range->begin <= range->end) ||
           mt_fail_usage(error, "%s must be A..B, %s numbers with A <= B, but %s isn't.", name,
                         base == 16 ? "hexadecimal" : "decimal", *text ? text : "''");
}

/* A name makes the range of everything: it is looked up in the trace later. */
static bool parse_range_or_name(const char *name, const char *text, Range *range, GError **error)
{
    return parse_range(name, named_parts_is_name(text) ? NULL : text, 16, range, error);
}

bool selection_parse_format(const char *name, enum mt_format *format, GError **error)
{
    static const char *const names[] = { [MT_FORMAT_AUTO] = "auto",
                                         [MT_FORMAT_FILE] = "file",
                                         [MT_FORMAT_GMBEOO] = "gmbeoo",
                                         [MT_FORMAT_COMPACT] = "compact" };

    *format = MT_FORMAT_AUTO;
    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        if (!name || !strcmp(name, names[i])) {
            *format = (enum mt_format)i;
            return true;
        }
    return mt_fail_usage(error, "--from must be auto, file, gmbeoo or compact, but %s isn't.", name);
}

static bool check_numbers(const Selection *selection, GError **error)
{
    if (selection->cpl != SELECTION_ANY && (selection->cpl < 0 || selection->cpl > 3))
        return mt_fail_usage(error, "--cpl must be in range [0, 3], but %d isn't.", selection->cpl);
    if (selection->vcpu != SELECTION_ANY && selection->vcpu < 0)
        return mt_fail_usage(error, "--vcpu can't be negative, but %d is.", selection->vcpu);
    return true;
}

bool selection_parse(const Selection *selection, SelectionRanges *ranges, GError **error)
{
    return parse_range("--events", selection->events, 10, &ranges->events, error) &&
           parse_range_or_name("--address", selection->address, &ranges->address, error) &&
           parse_range_or_name("--pc", selection->pc, &ranges->pc, error) &&
           selection_parse_format(selection->format, &ranges->format, error) && check_numbers(selection, error) &&
           object_selection_check(selection->regions, error);
}
