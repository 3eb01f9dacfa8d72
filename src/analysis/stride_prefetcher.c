/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A stride prefetcher's table: see stride_prefetcher.h. */
#include "stride_prefetcher.h"

#include <string.h>

#define PAGE_SHIFT 12

struct StrideEntry {
    uint64_t address, stride; /* the last access's address, and its distance from the access before */
    bool is_known, is_steady; /* there was an access; the last two strides were equal */
};

void stride_prefetcher_clear(StridePrefetcher *prefetcher)
{
    g_free(prefetcher->entries);
}

static void make_room(StridePrefetcher *prefetcher, uint32_t instruction)
{
    uint32_t room = MAX(2 * prefetcher->room, instruction + 1024);

    prefetcher->entries = g_renew(struct StrideEntry, prefetcher->entries, room);
    memset(prefetcher->entries + prefetcher->room, 0, (room - prefetcher->room) * sizeof *prefetcher->entries);
    prefetcher->room = room;
}

bool stride_prefetcher_predict(StridePrefetcher *prefetcher, uint32_t instruction, uint64_t address, uint64_t *next)
{
    struct StrideEntry *entry;
    uint64_t stride;

    if (instruction >= prefetcher->room)
        make_room(prefetcher, instruction);
    entry = &prefetcher->entries[instruction];
    stride = address - entry->address;
    entry->is_steady = entry->is_known && stride && stride == entry->stride;
    entry->stride = entry->is_known ? stride : 0;
    entry->address = address;
    entry->is_known = true;
    *next = address + stride;
    return entry->is_steady && *next >> PAGE_SHIFT == address >> PAGE_SHIFT;
}
