/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Touched pages: see page_table.h. */
#include "page_table.h"

#define FIRST_BITS 12
#define SMALL_FIRST_BITS 3
#define CHUNK 64 /* entries */

static void init(PageTable *table, unsigned bits)
{
    *table = (PageTable){ .bits = bits,
                          .slots = g_new0(PageSlot, 1u << bits),
                          .chunks = g_ptr_array_new_with_free_func(g_free) };
    for (guint i = 0; i < PAGE_TABLE_RECENT; i++)
        table->recent[i] = &table->none;
}

void page_table_init(PageTable *table)
{
    init(table, FIRST_BITS);
}

void page_table_init_small(PageTable *table)
{
    init(table, SMALL_FIRST_BITS);
}

void page_table_clear(PageTable *table)
{
    g_ptr_array_unref(table->chunks);
    g_free(table->slots);
}

/* An entry by its number, in the order in which they were made. */
static PageEntry *entry_at(const PageTable *table, uint64_t number)
{
    return (PageEntry *)table->chunks->pdata[number / CHUNK] + number % CHUNK;
}

/* The slot of `page`, or the free one that it would get. Fibonacci hashing (Knuth, TAOCP 3, 6.4). */
static PageSlot *probe(const PageTable *table, uint64_t page)
{
    uint64_t mask = (UINT64_C(1) << table->bits) - 1;
    uint64_t i = (page * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - table->bits);

    while (table->slots[i].page && table->slots[i].page != page)
        i = (i + 1) & mask;
    return &table->slots[i];
}

static void grow(PageTable *table)
{
    table->bits++;
    g_free(table->slots);
    table->slots = g_new0(PageSlot, UINT64_C(1) << table->bits);
    for (uint64_t i = 0; i < table->pages; i++) {
        PageEntry *entry = entry_at(table, i);

        *probe(table, entry->page) = (PageSlot){ entry->page, entry };
    }
}

static PageEntry *add(PageTable *table, uint64_t page)
{
    PageEntry *entry;

    if (table->pages >= UINT64_C(1) << (table->bits - 1))
        grow(table);
    if (table->pages % CHUNK == 0)
        g_ptr_array_add(table->chunks, g_new0(PageEntry, CHUNK));
    entry = entry_at(table, table->pages++);
    entry->page = page;
    *probe(table, page) = (PageSlot){ page, entry };
    return entry;
}

PageEntry *page_table_find(PageTable *table, uint64_t page)
{
    const PageSlot *slot = probe(table, page);
    PageEntry *entry = slot->page ? slot->entry : add(table, page);

    table->recent[page % PAGE_TABLE_RECENT] = entry;
    return entry;
}

void page_table_add(PageTable *table, const PageTable *other)
{
    for (uint64_t i = 0; i < other->pages; i++) {
        const PageEntry *from = entry_at(other, i);
        PageEntry *entry = page_table_find(table, from->page);

        entry->lines |= from->lines;
        entry->accesses += from->accesses;
    }
}

void page_table_clear_accesses(PageTable *table)
{
    for (uint64_t i = 0; i < table->pages; i++)
        entry_at(table, i)->accesses = 0;
}

uint64_t page_table_lines(const PageTable *table)
{
    uint64_t lines = 0;

    for (uint64_t i = 0; i < table->pages; i++)
        lines += (uint64_t)__builtin_popcountll(entry_at(table, i)->lines);
    return lines;
}

uint64_t page_table_huge_pages(const PageTable *table)
{
    PageTable huge;
    uint64_t pages;

    page_table_init(&huge);
    for (uint64_t i = 0; i < table->pages; i++)
        page_table_find(&huge, ((entry_at(table, i)->page - 1) >> (HUGE_PAGE_SHIFT - PAGE_SHIFT)) + 1);
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

    for (uint64_t i = 0; i < table->pages; i++)
        g_array_append_vals(all, entry_at(table, i), 1);
    g_array_sort(all, compare);
    if (all->len > most)
        g_array_set_size(all, most);
    return all;
}
