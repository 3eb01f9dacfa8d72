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

/* From a place in the trace on. */
typedef struct PageUse {
    uint64_t page;     /* a frame, or a virtual address >> PAGE_USES_SHIFT */
    uint64_t position; /* the index of the first record for which it counts */
    uint64_t first;    /* of a slab, a stack or an area of vmalloc(): its first page, as `page` */
    uint32_t pages;    /* and how many it has */
    PageUseKind kind;
    uint32_t number; /* of a slab: its cache's, for page_uses_cache(); of a stack: the task's */
    uint64_t caller; /* vmalloc(): an address in the function that has asked for it */
} PageUse;

typedef struct PageUsesCache {
    const char *name;
    uint64_t object_bytes; /* from one object to the next */
} PageUsesCache;

/* Of enum change_area. */
typedef struct PageUsesArea {
    uint32_t kind, number;
    uint64_t begin, end;
} PageUsesArea;

typedef struct PageUses PageUses;

/* Of the kernel of an input (of a trace that wasn't merged: 0). NULL is a trace that tells nothing. */
PageUses *page_uses_new_of(const TraceChanges *changes, uint32_t input);
/* Of a running guest: knows what is so now, whatever position is asked for. Changes are added as they take place. */
PageUses *page_uses_new_live(void);
void page_uses_add(PageUses *uses, const TraceChange *change);
void page_uses_free(PageUses *uses);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PageUses, page_uses_free)

/* Of enum change_uses: what is told at all. */
unsigned page_uses_told(const PageUses *uses);
/* PageUsesArea, in the order in which they were told. */
const GArray *page_uses_areas(const PageUses *uses);
/* NULL if there is none of this number. */
const PageUsesCache *page_uses_cache(const PageUses *uses, uint32_t number);
/* What a page is used for at a record, or NULL if nothing was told of it up to there. That holds for the records from
 * *from on, up to, not including, *to. */
const PageUse *page_uses_find(PageUses *uses, uint64_t page, uint64_t position, uint64_t *from, uint64_t *to);

#endif
