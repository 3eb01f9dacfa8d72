/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Natural merge sort: see sort_runs.h. */
#include "sort_runs.h"

#include <stdbool.h>
#include <string.h>

typedef struct {
    char *data;
    gsize size; /* of an element */
    GCompareFunc compare;
    GArray *ends; /* of the runs (guint) */
    char *buffer; /* for elements that others take the places of; NULL: there was none yet */
    gsize room;   /* bytes of it */
} Sorting;

static char *at(const Sorting *sorting, guint i)
{
    return sorting->data + i * sorting->size;
}

/* How many of the sorted elements from `low` to `high` - 1, and all before these, come before another element; with
 * `equal`, also if they are equal to it. */
static guint count_before(const Sorting *sorting, guint low, guint high, const char *element, bool equal)
{
    while (low < high) {
        guint middle = low + (high - low) / 2;

        if (sorting->compare(at(sorting, middle), element) < (equal ? 1 : 0))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Moves elements into the buffer. */
static void put_aside(Sorting *sorting, guint begin, guint end)
{
    gsize bytes = (end - begin) * sorting->size;

    if (bytes > sorting->room) {
        g_free(sorting->buffer);
        sorting->buffer = g_malloc(bytes);
        sorting->room = bytes;
    }
    memcpy(sorting->buffer, at(sorting, begin), bytes);
}

/* Merges the elements from `begin` to `middle` - 1, which are fewer, with those up to `end` - 1. */
static void merge_upwards(Sorting *sorting, guint begin, guint middle, guint end)
{
    const gsize size = sorting->size;
    const char *right = at(sorting, middle), *right_end = at(sorting, end), *left, *left_end;
    char *to = at(sorting, begin);

    put_aside(sorting, begin, middle);
    left = sorting->buffer;
    left_end = left + (middle - begin) * size;
    for (; left < left_end && right < right_end; to += size) {
        const char **from = sorting->compare(right, left) < 0 ? &right : &left;

        memcpy(to, *from, size);
        *from += size;
    }
    memcpy(to, left, (size_t)(left_end - left)); /* what is left on the right is in place */
}

/* The same, where those from `middle` on are fewer: from the last one backwards. */
static void merge_downwards(Sorting *sorting, guint begin, guint middle, guint end)
{
    const gsize size = sorting->size;
    const char *left = at(sorting, middle), *left_begin = at(sorting, begin), *right;
    char *to = at(sorting, end);

    put_aside(sorting, middle, end);
    right = sorting->buffer + (end - middle) * size;
    while (left > left_begin && right > sorting->buffer) {
        const char **from = sorting->compare(right - size, left - size) < 0 ? &left : &right;

        *from -= size;
        to -= size;
        memcpy(to, *from, size);
    }
    memcpy(at(sorting, begin), sorting->buffer, (size_t)(right - sorting->buffer));
}

/* Merges the elements from `begin` to `middle` - 1 with those up to `end` - 1. Those that are in place stay there. */
static void merge(Sorting *sorting, guint begin, guint middle, guint end)
{
    if (sorting->compare(at(sorting, middle - 1), at(sorting, middle)) <= 0)
        return;
    begin = count_before(sorting, begin, middle, at(sorting, middle), true);
    end = count_before(sorting, middle, end, at(sorting, middle - 1), false);
    if (middle - begin < end - middle)
        merge_upwards(sorting, begin, middle, end);
    else
        merge_downwards(sorting, begin, middle, end);
}

/* Sorts the runs from `first` to `last` - 1, the first of which begins at `begin`. */
static void sort(Sorting *sorting, guint first, guint last, guint begin)
{
    const guint *ends = (const guint *)sorting->ends->data;
    guint half = begin + (ends[last - 1] - begin) / 2, middle = first + 1;

    if (last - first < 2)
        return;
    while (middle < last - 1 && ends[middle - 1] < half)
        middle++;
    sort(sorting, first, middle, begin);
    sort(sorting, middle, last, ends[middle - 1]);
    merge(sorting, begin, ends[middle - 1], ends[last - 1]);
}

/* Lists where the runs end. */
static GArray *list_runs(const Sorting *sorting, guint count)
{
    GArray *ends = g_array_new(FALSE, FALSE, sizeof(guint));

    for (guint i = 1; i < count; i++)
        if (sorting->compare(at(sorting, i - 1), at(sorting, i)) > 0)
            g_array_append_val(ends, i);
    g_array_append_val(ends, count);
    return ends;
}

void sort_runs(GArray *array, GCompareFunc compare)
{
    Sorting sorting = { .data = array->data, .size = g_array_get_element_size(array), .compare = compare };

    sorting.ends = list_runs(&sorting, array->len);
    sort(&sorting, 0, sorting.ends->len, 0);
    g_array_unref(sorting.ends);
    g_free(sorting.buffer);
}
