/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slabs: frames that the guest's kernel (SLUB) divides into objects of one cache (struct kmem_cache). Those that are
 * there when a run begins are found by looking at every struct page but those of free blocks. From then on, the
 * kernel's functions tell which ones come and go. The caller of all functions holds the tasks' lock.
 */
#ifndef MEMORY_TRACER_PLUGIN_SLABS_H
#define MEMORY_TRACER_PLUGIN_SLABS_H

#include "frames.h"
#include "memories.h"

/* Starts anew: finds and tells all slabs. False if they can't be found in this kernel. */
bool slabs_find_all(unsigned vcpu, const Frames *frames, MemoriesNote note);
/* An object is prepared in a new slab. `object`: its address. */
void slabs_on_object(unsigned vcpu, const Frames *frames, uint64_t object, MemoriesNote note);
/* A slab was allocated, or is freed. `slab`: the address of its struct slab, which is that of its first struct page. */
void slabs_on_allocated(unsigned vcpu, const Frames *frames, uint64_t slab, MemoriesNote note);
void slabs_on_freed(unsigned vcpu, const Frames *frames, uint64_t slab, MemoriesNote note);

#endif
