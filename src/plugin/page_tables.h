/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The frames of the guest's page tables: those that are there when a run begins are found as the processor finds them;
 * later ones come and go with the kernel's functions. The caller of all functions holds the tasks' lock. */
#ifndef MEMORY_TRACER_PLUGIN_PAGE_TABLES_H
#define MEMORY_TRACER_PLUGIN_PAGE_TABLES_H

#include "frames.h"
#include "memories.h"

/* Starts anew: finds and tells all page tables. False if they can't be found in this kernel. */
bool page_tables_find_all(unsigned vcpu, const Frames *frames, MemoriesNote note);
/* The entry at this address may point to a new table. */
void page_tables_on_entry(unsigned vcpu, const Frames *frames, uint64_t entry, MemoriesNote note);
/* The frame becomes a page table, or is no longer one. FRAME_NONE is ignored. */
void page_tables_on_begin(unsigned vcpu, uint64_t frame, MemoriesNote note);
void page_tables_on_end(unsigned vcpu, uint64_t frame, MemoriesNote note);

#endif
