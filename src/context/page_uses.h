/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest's kernel has used each page for, and when, as a trace's changes tell (record/change.h). Pages of the
 * direct map are known by their frames, others by their virtual addresses.
 */
#ifndef MEMORY_TRACER_CONTEXT_PAGE_USES_H
#define MEMORY_TRACER_CONTEXT_PAGE_USES_H

#include <glib.h>

#include "../trace/changes.h"
#include "task_table.h"

#define PAGE_USES_SHIFT 12

typedef enum PageUseKind { PAGE_NOTHING, PAGE_SLAB, PAGE_TABLE, PAGE_STACK, PAGE_VMALLOC } PageUseKind;

/* What a page is used for from a place in the trace on. */
typedef struct PageUse {
    uint64_t page;     /* a frame, or a virtual address >> PAGE_USES_SHIFT */
    uint64_t position; /* the index of the first record for which it counts */
    uint64_t first;    /* the first page of the slab, the stack or the vmalloc() area, in the form of `page` */
    uint32_t pages;    /* and how many it has */
    PageUseKind kind;
    uint32_t number; /* a slab: its cache's number, for page_uses_cache(); a stack: the task's number */
    uint64_t caller; /* vmalloc(): an address in the function that called it */
} PageUse;

typedef struct PageUsesCache {
    const char *name;
    uint64_t object_bytes; /* from one object to the next */
} PageUsesCache;

/* An area of the kernel's address space; `kind` is of enum change_area. */
typedef struct PageUsesArea {
    uint32_t kind, number;
    uint64_t begin, end;
} PageUsesArea;

typedef struct PageUses PageUses;

/* The uses that `changes` tell of one input's kernel (0 if the trace wasn't merged). `changes` may be NULL. */
PageUses *page_uses_new_of(const TraceChanges *changes, uint32_t input);
/* The same for a running guest: it knows the present only, and ignores positions. Changes are added as they take place.
 */
PageUses *page_uses_new_live(void);
void page_uses_add(PageUses *uses, const TraceChange *change);
void page_uses_free(PageUses *uses);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PageUses, page_uses_free)

/* Which kinds of use the trace tells of: bits of enum change_uses. */
unsigned page_uses_told(const PageUses *uses);
/* The areas (PageUsesArea), in the order of the trace. It belongs to `uses`. */
const GArray *page_uses_areas(const PageUses *uses);
/* A slab cache by its number, or NULL. It belongs to `uses`. */
const PageUsesCache *page_uses_cache(const PageUses *uses, uint32_t number);
/* What a page is used for at a record; NULL if nothing was told of it before. The answer, which belongs to `uses`,
 * holds for the records from *from on, up to, not including, *to. */
const PageUse *page_uses_find(PageUses *uses, uint64_t page, uint64_t position, uint64_t *from, uint64_t *to);

#endif
