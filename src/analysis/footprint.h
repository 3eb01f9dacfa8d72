/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The footprint of a stream of accesses: how many there were of each kind, and how many distinct 64-byte lines and
 * 4-KiB pages of virtual addresses they touched. Exact: every page has an entry in a hash table with a bit for each of
 * its lines. Memory: 16 bytes per distinct page, at a load of at most 1/2.
 */
#ifndef MEMORY_TRACER_ANALYSIS_FOOTPRINT_H
#define MEMORY_TRACER_ANALYSIS_FOOTPRINT_H

#include <glib.h>
#include <stdint.h>

#include "../../include/memory_tracer/record.h"

#define FOOTPRINT_LINE_BYTES 64
#define FOOTPRINT_PAGE_BYTES 4096

typedef struct Footprint Footprint;

Footprint *footprint_new(void);
void footprint_free(Footprint *footprint);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Footprint, footprint_free)

void footprint_add(Footprint *footprint, const struct gmbeoo_record *records, size_t count);

typedef struct FootprintResult {
    uint64_t accesses, loads, stores;
    uint64_t kernel, user; /* CPL 0 to 2, CPL 3 */
    uint64_t by_size_shift[8];
    uint64_t lines, pages; /* distinct; an access that crosses a border touches both sides */
} FootprintResult;

FootprintResult footprint_result(const Footprint *footprint);

#endif
