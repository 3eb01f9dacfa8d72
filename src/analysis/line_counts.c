/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counts by line: see line_counts.h. */
#include "line_counts.h"

#define FIRST_BITS 10

void line_counts_clear(LineCounts *table)
{
    g_free(table->entries);
}

/* The key's entry, or the free one that it would get. */
static LineCount *find(const LineCounts *table, uint64_t key)
{
    size_t last = ((size_t)1 << table->bits) - 1;
    size_t at = (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> (64 - table->bits));

    while (table->entries[at].key && table->entries[at].key != key)
        at = (at + 1) & last;
    return &table->entries[at];
}

static void grow(LineCounts *table)
{
    g_autofree LineCount *old = table->entries;
    size_t entries = old ? (size_t)1 << table->bits : 0;

    table->bits = old ? table->bits + 1 : FIRST_BITS;
    table->entries = g_new0(LineCount, (size_t)1 << table->bits);
    for (size_t i = 0; i < entries; i++)
        if (old[i].key)
            *find(table, old[i].key) = old[i];
}

uint64_t *line_counts_get(LineCounts *table, uint64_t line)
{
    LineCount *entry = table->entries ? find(table, line + 1) : NULL;

    if (!entry || (!entry->key && 2 * (table->lines + 1) > UINT64_C(1) << table->bits)) {
        grow(table);
        entry = find(table, line + 1);
    }
    if (!entry->key) {
        entry->key = line + 1;
        table->lines++;
    }
    return entry->counts;
}

void line_counts_merge(LineCounts *table, const LineCounts *other)
{
    for (size_t i = 0; other->entries && i < (size_t)1 << other->bits; i++) {
        const LineCount *from = &other->entries[i];
        uint64_t *counts = from->key ? line_counts_get(table, from->key - 1) : NULL;

        for (unsigned k = 0; counts && k < LINE_COUNTS; k++)
            counts[k] += from->counts[k];
    }
}

static gint compare(gconstpointer a, gconstpointer b, gpointer number)
{
    const LineCount *one = a, *other = b;
    uint64_t count = one->counts[GPOINTER_TO_UINT(number)], others = other->counts[GPOINTER_TO_UINT(number)];

    if (count != others)
        return count < others ? 1 : -1;
    return one->key < other->key ? -1 : one->key > other->key;
}

GArray *line_counts_top(const LineCounts *table, unsigned number, guint most)
{
    GArray *top = g_array_new(FALSE, FALSE, sizeof(LineCount));

    for (size_t i = 0; table->entries && i < (size_t)1 << table->bits; i++)
        if (table->entries[i].counts[number])
            g_array_append_val(top, table->entries[i]);
    g_array_sort_with_data(top, compare, GUINT_TO_POINTER(number));
    if (top->len > most)
        g_array_set_size(top, most);
    return top;
}
