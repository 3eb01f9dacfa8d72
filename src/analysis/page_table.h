/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The 4-KiB pages that were touched, in a hash table: which of a page's 64-byte lines were touched, and how often the
 * page was. Exact. Memory: 24 bytes for each distinct page, and 32 to 64 for the hash table.
 */
#ifndef MEMORY_TRACER_ANALYSIS_PAGE_TABLE_H
#define MEMORY_TRACER_ANALYSIS_PAGE_TABLE_H

#include <glib.h>
#include <stdint.h>

#define LINE_SHIFT 6
#define PAGE_SHIFT 12
#define HUGE_PAGE_SHIFT 21
#define PAGE_TABLE_RECENT 64

typedef struct PageEntry {
    uint64_t page;     /* page number + 1; 0: free */
    uint64_t lines;    /* a bit for each of its 64 lines */
    uint64_t accesses; /* an access to two pages counts for both */
} PageEntry;

typedef struct PageSlot {
    uint64_t page; /* 0: free */
    PageEntry *entry;
} PageSlot;

typedef struct PageTable {
    PageSlot *slots; /* open addressing, linear probing, at a load of at most 1/2 */
    unsigned bits;   /* 1 << bits of them */
    uint64_t pages;
    GPtrArray *chunks;                    /* arrays of entries, whose addresses never change */
    PageEntry none;                       /* what `recent` points to in the beginning */
    PageEntry *recent[PAGE_TABLE_RECENT]; /* by the lowest bits of `page`: most accesses are to one of them */
} PageTable;

void page_table_init(PageTable *table);
/* The same for one of many tables, most of which stay small. */
void page_table_init_small(PageTable *table);
void page_table_clear(PageTable *table);

/* The entry of `page` (a page number + 1), which is made if there is none, and becomes a recent one. It belongs to the
 * table; its address is valid until the table is cleared. */
PageEntry *page_table_find(PageTable *table, uint64_t page);

/* Marks a line (an address >> LINE_SHIFT). Returns the entry of its page. */
static inline PageEntry *page_table_touch(PageTable *table, uint64_t line)
{
    uint64_t page = (line >> (PAGE_SHIFT - LINE_SHIFT)) + 1;
    uint64_t bit = UINT64_C(1) << (line & 63);
    PageEntry *entry = table->recent[page % PAGE_TABLE_RECENT];

    if (entry->page != page)
        entry = page_table_find(table, page);
    if (!(entry->lines & bit)) /* rare: without a store, the next access needn't wait for this one */
        entry->lines |= bit;
    return entry;
}

/* Adds the pages of another table. */
void page_table_add(PageTable *table, const PageTable *other);
/* Sets all pages' accesses to 0. Lines stay. */
void page_table_clear_accesses(PageTable *table);

/* How many distinct lines, and distinct 2-MiB pages, were touched. */
uint64_t page_table_lines(const PageTable *table);
uint64_t page_table_huge_pages(const PageTable *table);
/* Copies of the entries (PageEntry) of the `most` pages that were accessed most; of equal ones, the lowest. The caller
 * unreferences them. */
GArray *page_table_top(const PageTable *table, guint most);

#endif
