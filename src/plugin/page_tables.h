/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames that hold the guest's page tables: those that there are when a run begins, found as the processor finds them,
 * and then the ones that the kernel's functions put into their places and take away. */
#ifndef MEMORY_TRACER_PLUGIN_PAGE_TABLES_H
#define MEMORY_TRACER_PLUGIN_PAGE_TABLES_H

#include "frames.h"
#include "memories.h"

/* Forgets all, and tells what there is now. False if this kernel's can't be told. With the tasks' lock held, as all of
 * this. */
bool page_tables_find_all(unsigned vcpu, const Frames *frames, MemoriesNote note);
/* The entry at this address may have got a table. */
void page_tables_on_entry(unsigned vcpu, const Frames *frames, uint64_t entry, MemoriesNote note);
/* The frame is one, or no longer; FRAME_NONE does nothing. */
void page_tables_on_begin(unsigned vcpu, uint64_t frame, MemoriesNote note);
void page_tables_on_end(unsigned vcpu, uint64_t frame, MemoriesNote note);

#endif
