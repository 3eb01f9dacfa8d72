/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Regions of heat maps: see heat_regions.h. */
#include "heat_regions.h"

#include <stdbool.h>
#include <string.h>

#define SMALLEST_REGION 30 /* a region has at least 1/30 of the rows, so that its label can be read */
#define UPPER_HALF (UINT64_C(1) << 63)

static uint64_t sum_counts(const HeatGranule *granule)
{
    uint64_t sum = 0;

    for (guint i = 0; i < HEAT_PIECES; i++)
        for (guint k = 0; granule->pieces[i] && k < HEAT_PIECE_COLUMNS; k++)
            sum += granule->pieces[i][k];
    return sum;
}

/* A name by the layout of Linux's address space on x86-64. */
static const char *name_region(uint64_t address)
{
    if (address >= UINT64_C(0xffffffffc0000000))
        return "kernel modules";
    if (address >= UINT64_C(0xffffffff80000000))
        return "kernel image";
    if (address >= UPPER_HALF)
        return "kernel memory";
    if (address >= UINT64_C(0x700000000000))
        return "libraries, stack";
    return "program, heap";
}

/* The names of all that is in a region: stretches that are too small for a region of their own are in a neighbour's. */
static const char *name_all(const HeatRegion *region)
{
    const char *name = name_region(region->first);

    if (!strcmp(name, name_region(region->last)))
        return name;
    return region->last < UPPER_HALF ? "user memory" : region->first < UPPER_HALF ? "user and kernel" : "kernel memory";
}

typedef struct {
    bool divides;      /* the granules on its two sides have different names */
    uint64_t granules; /* the gap's size */
    guint at;          /* the index of the granule behind it */
} Gap;

static gint compare_gaps(gconstpointer a, gconstpointer b)
{
    const Gap *one = a, *other = b;

    if (one->divides != other->divides)
        return one->divides ? -1 : 1;
    if (one->granules != other->granules)
        return one->granules < other->granules ? 1 : -1;
    return one->at < other->at ? -1 : one->at > other->at;
}

static gint compare_numbers(gconstpointer a, gconstpointer b)
{
    const guint *one = a, *other = b;

    return *one < *other ? -1 : *one > *other;
}

/* All gaps; first those between regions of different names, then the largest ones. */
static GArray *list_gaps(const GArray *list, unsigned shift)
{
    GArray *gaps = g_array_new(FALSE, FALSE, sizeof(Gap));

    for (guint at = 1; at < list->len; at++) {
        uint64_t before = heat_granule_at(list, at - 1)->number, number = heat_granule_at(list, at)->number;
        Gap gap = { strcmp(name_region(before << shift), name_region(number << shift)) != 0, number - before - 1, at };

        if (gap.granules)
            g_array_append_val(gaps, gap);
    }
    g_array_sort(gaps, compare_gaps);
    return gaps;
}

/* Where regions begin and end: at the largest gaps, unless that makes one too small. */
static GArray *list_cuts(const GArray *list, unsigned shift)
{
    g_autoptr(GArray) gaps = list_gaps(list, shift);
    GArray *cuts = g_array_new(FALSE, FALSE, sizeof(guint));
    guint ends[] = { 0, list->len }, least = MAX(list->len / SMALLEST_REGION, 1);

    g_array_append_vals(cuts, ends, 2);
    for (guint i = 0; i < gaps->len && cuts->len <= HEAT_REGIONS_MAX; i++) {
        guint at = g_array_index(gaps, Gap, i).at;
        bool fits = true;

        for (guint k = 0; k < cuts->len; k++) {
            guint cut = g_array_index(cuts, guint, k);

            fits = fits && (cut > at ? cut - at : at - cut) >= least;
        }
        if (fits)
            g_array_append_val(cuts, at);
    }
    g_array_sort(cuts, compare_numbers);
    return cuts;
}

static void clear_region(void *region)
{
    g_free(((HeatRegion *)region)->name);
}

GArray *heat_regions_list(const HeatLabels *labels, const GArray *list, unsigned shift)
{
    g_autoptr(GArray) cuts = list_cuts(list, shift);
    GArray *regions = g_array_new(FALSE, FALSE, sizeof(HeatRegion));

    g_array_set_clear_func(regions, clear_region);

    for (guint i = 1; list->len && i < cuts->len; i++) {
        HeatRegion region = { .begin = g_array_index(cuts, guint, i - 1), .end = g_array_index(cuts, guint, i) };

        region.first = heat_granule_at(list, region.begin)->number << shift;
        region.last = (heat_granule_at(list, region.end - 1)->number << shift) + (UINT64_C(1) << shift) - 1;
        for (guint k = region.begin; k < region.end; k++)
            region.accesses += sum_counts(heat_granule_at(list, k));
        region.name = heat_labels_name(labels, region.first, region.last);
        if (!region.name)
            region.name = g_strdup(name_all(&region));
        g_array_append_val(regions, region);
    }
    return regions;
}

void heat_regions_keep_hottest(const HeatLabels *labels, GArray **list, GArray **regions, unsigned shift)
{
    const HeatRegion *hottest = &g_array_index(*regions, HeatRegion, 0);

    for (guint i = 1; i < (*regions)->len; i++)
        if (g_array_index(*regions, HeatRegion, i).accesses > hottest->accesses)
            hottest = &g_array_index(*regions, HeatRegion, i);
    g_array_remove_range(*list, hottest->end, (*list)->len - hottest->end);
    g_array_remove_range(*list, 0, hottest->begin);
    g_array_unref(*regions);
    *regions = heat_regions_list(labels, *list, shift);
}
