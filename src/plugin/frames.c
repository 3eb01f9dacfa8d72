/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's page frames: see frames.h. */
#include "frames.h"

#include "../record/x86.h"
#include "kernel.h"

/* 256 GiB. The number of frames comes from the guest, which isn't trusted, and looking at all of them takes time. */
#define FRAMES_MAX (UINT64_C(1) << 26)
#define PAGE_BYTES_MAX 256

bool frames_find(Frames *frames)
{
    *frames = (Frames){ .page_bytes = kernel_layout()->offset[KERNEL_PAGE_BYTES] };
    return kernel_read_variable(KERNEL_PAGE_OFFSET_BASE, &frames->direct_map) &&
           kernel_read_variable(KERNEL_VMEMMAP_BASE, &frames->vmemmap) &&
           kernel_read_variable(KERNEL_MAX_FRAME, &frames->count) && frames->count && frames->count <= FRAMES_MAX &&
           frames->page_bytes && frames->page_bytes <= PAGE_BYTES_MAX && x86_is_kernel_address(frames->direct_map) &&
           x86_is_kernel_address(frames->vmemmap) && frames->vmemmap < UINT64_MAX - frames->count * PAGE_BYTES_MAX &&
           frames->direct_map < frames->vmemmap && !(frames->direct_map % FRAME_BYTES) &&
           (frames->vmemmap - frames->direct_map) >> FRAME_SHIFT >= frames->count;
}

uint64_t frames_of_address(const Frames *frames, uint64_t address)
{
    uint64_t frame = (address - frames->direct_map) >> FRAME_SHIFT;

    return address >= frames->direct_map && frame < frames->count ? frame : FRAME_NONE;
}

uint64_t frames_of_page(const Frames *frames, uint64_t page)
{
    uint64_t distance = page - frames->vmemmap, frame = distance / frames->page_bytes;

    return page >= frames->vmemmap && !(distance % frames->page_bytes) && frame < frames->count ? frame : FRAME_NONE;
}

uint64_t frames_address(const Frames *frames, uint64_t frame)
{
    return frames->direct_map + (frame << FRAME_SHIFT);
}

uint64_t frames_page(const Frames *frames, uint64_t frame)
{
    return frames->vmemmap + frame * frames->page_bytes;
}
