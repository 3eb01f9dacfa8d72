/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Touched pages: see page_table.h. */
#include "page_table.h"

#define FIRST_BITS 12

void page_table_init(PageTable *table)
{
    *table = (PageTable){ .bits = FIRST_BITS, .entries = g_new0(PageEntry, 1u << FIRST_BITS) };
    for (guint i = 0; i < PAGE_TABLE_RECENT; i++) /* whatever is there is compared before it is used */
        table->recent[i] = table->entries;
}

void page_table_clear(PageTable *table)
{
    g_free(table->entries);
}

/* The entry of `page`, or the free one where it belongs. Fibonacci hashing (Knuth, TAOCP 3, 6.4). */
static PageEntry *probe(const PageTable *table, uint64_t page)
{
    uint64_t mask = (UINT64_C(1) << table->bits) - 1;
    uint64_t i = (page * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - table->bits);

    while (table->entries[i].page && table->entries[i].page != page)
        i = (i + 1) & mask;
    return &table->entries[i];
}

static void grow(PageTable *table)
{
    PageEntry *old = table->entries;
    uint64_t count = UINT64_C(1) << table->bits;

    table->bits++;
    table->entries = g_new0(PageEntry, count * 2);
    for (uint64_t i = 0; i < count; i++)
        if (old[i].page)
            *probe(table, old[i].page) = old[i];
    for (guint i = 0; i < PAGE_TABLE_RECENT; i++)
        table->recent[i] = table->recent[i]->page ? probe(table, table->recent[i]->page) : table->entries;
    g_free(old);
}

PageEntry *page_table_find(PageTable *table, uint64_t page)
{
    PageEntry *entry = probe(table, page);

    if (!entry->page) {
        if (++table->pages > UINT64_C(1) << (table->bits - 1)) {
            grow(table);
            entry = probe(table, page);
        }
        entry->page = page;
    }
    table->recent[page % PAGE_TABLE_RECENT] = entry;
    return entry;
}

uint64_t page_table_lines(const PageTable *table)
{
    uint64_t lines = 0;

    for (uint64_t i = 0; i < UINT64_C(1) << table->bits; i++)
        lines += (uint64_t)__builtin_popcountll(table->entries[i].lines);
    return lines;
}

uint64_t page_table_huge_pages(const PageTable *table)
{
    PageTable huge;
    uint64_t pages;

    page_table_init(&huge);
    for (uint64_t i = 0; i < UINT64_C(1) << table->bits; i++)
        if (table->entries[i].page)
            page_table_find(&huge, ((table->entries[i].page - 1) >> (HUGE_PAGE_SHIFT - PAGE_SHIFT)) + 1);
    pages = huge.pages;
    page_table_clear(&huge);
    return pages;
}

static gint compare(gconstpointer a, gconstpointer b)
{
    const PageEntry *one = a, *other = b;

    if (one->accesses != other->accesses)
        return one->accesses < other->accesses ? 1 : -1;
    return one->page < other->page ? -1 : one->page > other->page;
}

GArray *page_table_top(const PageTable *table, guint most)
{
    GArray *all = g_array_sized_new(FALSE, FALSE, sizeof(PageEntry), (guint)table->pages);

    for (uint64_t i = 0; i < UINT64_C(1) << table->bits; i++)
        if (table->entries[i].page)
            g_array_append_val(all, table->entries[i]);
    g_array_sort(all, compare);
    if (all->len > most)
        g_array_set_size(all, most);
    return all;
}
