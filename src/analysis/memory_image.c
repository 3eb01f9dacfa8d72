/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The contents of physical memory: see memory_image.h. */
#include "memory_image.h"

#include <string.h>

#define PAGE_SHIFT 12
#define PAGE_BYTES (1u << PAGE_SHIFT)

typedef struct {
    uint8_t bytes[PAGE_BYTES];
    uint8_t stored[PAGE_BYTES / 8]; /* a bit for each byte */
} Page;

struct MemoryImage {
    GHashTable *pages;   /* Page, by frame number + 1 */
    uint64_t last_frame; /* the frame that was used last, and its page */
    Page *last;
};

MemoryImage *memory_image_new(void)
{
    MemoryImage *image = g_new0(MemoryImage, 1);

    image->pages = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
    return image;
}

void memory_image_free(MemoryImage *image)
{
    if (!image)
        return;
    g_hash_table_unref(image->pages);
    g_free(image);
}

static Page *page_of(MemoryImage *image, uint64_t paddr)
{
    uint64_t frame = paddr >> PAGE_SHIFT;
    gpointer key = GSIZE_TO_POINTER(frame + 1);

    if (image->last && image->last_frame == frame)
        return image->last;
    image->last_frame = frame;
    image->last = g_hash_table_lookup(image->pages, key);
    if (!image->last) {
        image->last = g_new0(Page, 1);
        g_hash_table_insert(image->pages, key, image->last);
    }
    return image->last;
}

void memory_image_store(MemoryImage *image, uint64_t paddr, const uint8_t *bytes, unsigned count)
{
    Page *page = page_of(image, paddr);
    unsigned at = paddr % PAGE_BYTES;

    memcpy(page->bytes + at, bytes, count);
    for (unsigned i = at; i < at + count; i++)
        page->stored[i / 8] |= (uint8_t)(1u << i % 8);
}

MemoryImageAnswer memory_image_load(MemoryImage *image, uint64_t paddr, const uint8_t *bytes, unsigned count)
{
    Page *page = page_of(image, paddr);
    unsigned at = paddr % PAGE_BYTES;
    bool known = true, same = !memcmp(page->bytes + at, bytes, count);

    for (unsigned i = at; i < at + count; i++)
        known = known && (page->stored[i / 8] & 1u << i % 8);
    if (!known)
        return MEMORY_IMAGE_UNKNOWN;
    if (!same)
        memory_image_store(image, paddr, bytes, count);
    return same ? MEMORY_IMAGE_SAME : MEMORY_IMAGE_OTHER;
}
