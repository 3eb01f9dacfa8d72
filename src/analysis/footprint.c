/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counts, distinct lines, distinct pages: see footprint.h. */
#include "footprint.h"

#define LINE_SHIFT 6
#define PAGE_SHIFT 12
#define FIRST_BITS 12

typedef struct {
    uint64_t page;  /* page number + 1; 0: free */
    uint64_t lines; /* a bit for each of its 64 lines */
} PageEntry;

struct Footprint {
    uint64_t
        by_kind[2][256]; /* by the low byte of a record's info; two of them, so that equal neighbours don't queue up */
    PageEntry *entries;  /* open addressing, linear probing */
    unsigned bits;       /* 1 << bits entries */
    uint64_t pages;
    PageEntry *last; /* the page of the access before */
};

Footprint *footprint_new(void)
{
    Footprint *footprint = g_new0(Footprint, 1);

    footprint->bits = FIRST_BITS;
    footprint->entries = g_new0(PageEntry, 1u << FIRST_BITS);
    footprint->last = footprint->entries;
    return footprint;
}

void footprint_free(Footprint *footprint)
{
    if (!footprint)
        return;
    g_free(footprint->entries);
    g_free(footprint);
}

/* The entry of `page` (a page number + 1), or the free one where it belongs. Fibonacci hashing (Knuth, TAOCP 3, 6.4).
 */
static PageEntry *find(const Footprint *footprint, uint64_t page)
{
    uint64_t mask = (UINT64_C(1) << footprint->bits) - 1;
    uint64_t i = (page * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - footprint->bits);

    while (footprint->entries[i].page && footprint->entries[i].page != page)
        i = (i + 1) & mask;
    return &footprint->entries[i];
}

static void grow(Footprint *footprint)
{
    PageEntry *old = footprint->entries;
    uint64_t count = UINT64_C(1) << footprint->bits;

    footprint->bits++;
    footprint->entries = g_new0(PageEntry, count * 2);
    for (uint64_t i = 0; i < count; i++)
        if (old[i].page)
            *find(footprint, old[i].page) = old[i];
    g_free(old);
}

static void touch(Footprint *footprint, uint64_t line)
{
    uint64_t page = (line >> (PAGE_SHIFT - LINE_SHIFT)) + 1;
    PageEntry *entry = footprint->last;

    if (entry->page != page) {
        entry = find(footprint, page);
        if (!entry->page) {
            if (++footprint->pages > UINT64_C(1) << (footprint->bits - 1)) {
                grow(footprint);
                entry = find(footprint, page);
            }
            entry->page = page;
        }
        footprint->last = entry;
    }
    entry->lines |= UINT64_C(1) << (line & 63);
}

void footprint_add(Footprint *footprint, const struct gmbeoo_record *records, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t first = records[i].virt_addr >> LINE_SHIFT;
        uint64_t last = (records[i].virt_addr + gmbeoo_size(&records[i]) - 1) >> LINE_SHIFT;

        footprint->by_kind[i & 1][records[i].info & 0xff]++;
        touch(footprint, first);
        if (G_UNLIKELY(last != first))
            touch(footprint, last);
    }
}

FootprintResult footprint_result(const Footprint *footprint)
{
    FootprintResult result = { .pages = footprint->pages };

    for (unsigned kind = 0; kind < 256; kind++) {
        const struct gmbeoo_record record = { .info = kind };
        uint64_t accesses = footprint->by_kind[0][kind] + footprint->by_kind[1][kind];

        result.accesses += accesses;
        *(gmbeoo_is_store(&record) ? &result.stores : &result.loads) += accesses;
        *(gmbeoo_cpl(&record) == 3 ? &result.user : &result.kernel) += accesses;
        result.by_size_shift[gmbeoo_size_shift(&record)] += accesses;
    }
    for (uint64_t i = 0; i < UINT64_C(1) << footprint->bits; i++)
        result.lines += (uint64_t)__builtin_popcountll(footprint->entries[i].lines);
    return result;
}
