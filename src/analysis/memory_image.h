/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The contents of a guest's physical memory, as far as its accesses tell: a load must return what was stored last. */
#ifndef MEMORY_TRACER_ANALYSIS_MEMORY_IMAGE_H
#define MEMORY_TRACER_ANALYSIS_MEMORY_IMAGE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct MemoryImage MemoryImage;

MemoryImage *memory_image_new(void);
void memory_image_free(MemoryImage *image);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MemoryImage, memory_image_free)

/* An access of `count` bytes (at most 16) within a page. */
void memory_image_store(MemoryImage *image, uint64_t paddr, const uint8_t *bytes, unsigned count);

typedef enum {
    MEMORY_IMAGE_UNKNOWN, /* some of the bytes were not stored so far */
    MEMORY_IMAGE_SAME,
    MEMORY_IMAGE_OTHER, /* something other than a store of the guest has changed them */
} MemoryImageAnswer;

/* Compares a load with the stores before it. The image then holds what was loaded, as stored. */
MemoryImageAnswer memory_image_load(MemoryImage *image, uint64_t paddr, const uint8_t *bytes, unsigned count);

#endif
