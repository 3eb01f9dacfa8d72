/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slabs: frames that the guest's kernel (SLUB) divides into objects of one cache (struct kmem_cache). All that there
 * are when a run begins are found by looking at every struct page but those of free blocks; from then on the kernel's
 * own functions tell which ones come and go.
 */
#ifndef MEMORY_TRACER_PLUGIN_SLABS_H
#define MEMORY_TRACER_PLUGIN_SLABS_H

#include "frames.h"
#include "memories.h"

/* Forgets all, and tells what there is now. False if this kernel's slabs can't be told. With the tasks' lock held, as
 * all of this. */
bool slabs_find_all(unsigned vcpu, const Frames *frames, MemoriesNote note);
/* An object is prepared in a slab that is new. `object`: its address. */
void slabs_on_object(unsigned vcpu, const Frames *frames, uint64_t object, MemoriesNote note);
/* A slab is there, or goes. `slab`: the address of its struct slab, which is that of its first struct page. */
void slabs_on_allocated(unsigned vcpu, const Frames *frames, uint64_t slab, MemoriesNote note);
void slabs_on_freed(unsigned vcpu, const Frames *frames, uint64_t slab, MemoriesNote note);

#endif
