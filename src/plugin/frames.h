/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's page frames, and where the kernel has them in its address space. */
#ifndef MEMORY_TRACER_PLUGIN_FRAMES_H
#define MEMORY_TRACER_PLUGIN_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#define FRAME_SHIFT 12
#define FRAME_BYTES (UINT64_C(1) << FRAME_SHIFT)
#define FRAME_NONE UINT64_MAX

typedef struct Frames {
    uint64_t direct_map; /* where the kernel sees frame 0 */
    uint64_t vmemmap;    /* where its struct page for frame 0 is */
    uint64_t count;
    uint64_t page_bytes; /* of a struct page */
} Frames;

/* Asks the guest's kernel, while it executes. False if it doesn't tell, or tells what can't be. */
bool frames_find(Frames *frames);
/* The frame that the direct map has at an address, or that a struct page is of; or FRAME_NONE. */
uint64_t frames_of_address(const Frames *frames, uint64_t address);
uint64_t frames_of_page(const Frames *frames, uint64_t page);
uint64_t frames_address(const Frames *frames, uint64_t frame);
uint64_t frames_page(const Frames *frames, uint64_t frame);

#endif
