/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's page frames, and where the kernel maps them. */
#ifndef MEMORY_TRACER_PLUGIN_FRAMES_H
#define MEMORY_TRACER_PLUGIN_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#define FRAME_SHIFT 12
#define FRAME_BYTES (UINT64_C(1) << FRAME_SHIFT)
#define FRAME_NONE UINT64_MAX

typedef struct Frames {
    uint64_t direct_map; /* the kernel's virtual address of frame 0 */
    uint64_t vmemmap;    /* the address of the struct page of frame 0 */
    uint64_t count;
    uint64_t page_bytes; /* of a struct page */
} Frames;

/* Reads them from the guest's kernel, while a vCPU executes it. False if they can't be read, or make no sense. */
bool frames_find(Frames *frames);
/* The frame at an address of the direct map, and the frame of a struct page; FRAME_NONE if there is none. */
uint64_t frames_of_address(const Frames *frames, uint64_t address);
uint64_t frames_of_page(const Frames *frames, uint64_t page);
uint64_t frames_address(const Frames *frames, uint64_t frame);
uint64_t frames_page(const Frames *frames, uint64_t frame);

#endif
