/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel's pages are used for: see page_uses.h. The changes are not trusted. */
#include "page_uses.h"

#include "../base/sort_runs.h"

/* Limits for a trace that isn't honest: pages of one change (4 GiB), and uses of pages in all. */
#define CHANGE_PAGES_MAX (UINT64_C(1) << 20)
#define USES_MAX (1u << 24)
#define CACHES_MAX 65536
#define AREAS_MAX 4096
#define FOUND 1024 /* entries of `found` */

/* Which elements of `uses` are a page's. */
typedef struct {
    uint64_t page;
    guint begin, end;
} Found;

struct PageUses {
    bool is_live;
    /* PageUse. Of a running guest: one for each page that is used, in no order. Of a trace: all, in its order, and once
     * it was read by page, then in that order. */
    GArray *uses;
    GHashTable *at; /* by page: the index of its current use in `uses`, plus 1; NULL once a trace was read */
    GArray *areas;  /* PageUsesArea */
    GArray *caches; /* PageUsesCache, by number */
    GStringChunk *texts;
    unsigned told;
    Found found[FOUND]; /* the last answers, by page */
    /* While reading: */
    unsigned surveys;        /* how many surveys of the kernel's pages were begun (CHANGE_USES) */
    uint32_t surveying_vcpu; /* the vCPU that is in a survey now, plus 1; 0: none */
    uint64_t direct_map, direct_map_end;
    GHashTable *ends;      /* the ends of vmalloc() areas, by their beginnings */
    GHashTable *old_tasks; /* numbers of the tasks that were there when the trace began */
};

/* What the first survey finds has been so since the trace began, because it is made before anything changes. */
static uint64_t position_of(const PageUses *uses, const TraceChange *change)
{
    return uses->surveys == 1 && uses->surveying_vcpu == change->vcpu + 1 ? 0 : change->index;
}

static gpointer key_of(uint64_t page)
{
    return (gpointer)(uintptr_t)page;
}

static void set_now(PageUses *uses, uint64_t page, guint index)
{
    g_hash_table_insert(uses->at, key_of(page), GUINT_TO_POINTER(index + 1));
}

/* What a page is used for now, or NULL. */
static const PageUse *find_now(const PageUses *uses, uint64_t page)
{
    guint at = GPOINTER_TO_UINT(g_hash_table_lookup(uses->at, key_of(page)));

    return at ? &g_array_index(uses->uses, PageUse, at - 1) : NULL;
}

/* Of a running guest: the last use takes the place of this one. */
static void forget(PageUses *uses, const PageUse *use)
{
    guint index = (guint)(use - (const PageUse *)uses->uses->data);

    g_array_remove_index_fast(uses->uses, index);
    if (index < uses->uses->len)
        set_now(uses, g_array_index(uses->uses, PageUse, index).page, index);
}

/* Sets a page's current use, unless it is kept: a survey may come upon a stack that was told when its task was first
 * seen, and takes it for an area of vmalloc(). */
static void replace(PageUses *uses, const PageUse *use)
{
    const PageUse *before = find_now(uses, use->page);
    bool is_use = use->kind != PAGE_NOTHING;

    if (before && uses->surveying_vcpu && before->kind == PAGE_STACK && use->kind == PAGE_VMALLOC)
        return;
    if (before && uses->is_live)
        forget(uses, before);
    if (is_use || !uses->is_live)
        g_array_append_vals(uses->uses, use, 1);
    if (is_use)
        set_now(uses, use->page, uses->uses->len - 1);
    else
        g_hash_table_remove(uses->at, key_of(use->page));
}

static void add(PageUses *uses, const TraceChange *change, PageUse use, uint64_t first, uint64_t count)
{
    use.position = position_of(uses, change);
    if (count > CHANGE_PAGES_MAX || first > UINT64_MAX - count || uses->uses->len > USES_MAX)
        return;
    for (uint64_t i = 0; i < count; i++) {
        use.page = first + i;
        replace(uses, &use);
    }
}

static void add_slabs(PageUses *uses, const TraceChange *change)
{
    uint64_t first = change->value[1], count = change->value[2], each = change->value[3];
    PageUse use = { .kind = change->value[0] ? PAGE_SLAB : PAGE_NOTHING, .number = (uint32_t)change->value[0] };

    if (!each || count % each || count > CHANGE_PAGES_MAX)
        return;
    for (uint64_t i = 0; i < count; i += each) {
        use.first = first + i;
        use.pages = (uint32_t)each;
        add(uses, change, use, first + i, each);
    }
}

/* The page of a virtual address: an address of the direct map has the number of its frame. */
static uint64_t page_of(const PageUses *uses, uint64_t address)
{
    if (address >= uses->direct_map && address < uses->direct_map_end)
        address -= uses->direct_map;
    return address >> PAGE_USES_SHIFT;
}

static void add_range(PageUses *uses, const TraceChange *change, PageUse use, uint64_t begin, uint64_t end)
{
    uint64_t count = (end - begin) >> PAGE_USES_SHIFT;

    if (begin >= end || count > CHANGE_PAGES_MAX)
        return;
    use.first = page_of(uses, begin);
    use.pages = (uint32_t)count;
    add(uses, change, use, use.first, count);
}

/* The end of a vmalloc() area. The change has its beginning only; `ends` has its end. */
static void end_range(PageUses *uses, const TraceChange *change)
{
    uint64_t begin = change->value[0], *end = g_hash_table_lookup(uses->ends, &begin);

    if (end)
        add_range(uses, change, (PageUse){ .kind = PAGE_NOTHING }, begin, *end);
    g_hash_table_remove(uses->ends, &begin);
}

static void begin_range(PageUses *uses, const TraceChange *change)
{
    add_range(uses, change, (PageUse){ .kind = PAGE_VMALLOC, .caller = change->value[2] }, change->value[0],
              change->value[1]);
    g_hash_table_insert(uses->ends, g_memdup2(&change->value[0], sizeof(uint64_t)),
                        g_memdup2(&change->value[1], sizeof(uint64_t)));
}

static void add_cache(PageUses *uses, const TraceChange *change)
{
    uint64_t number = change->value[0];
    PageUsesCache cache = { g_string_chunk_insert_const(uses->texts, change->text), change->value[1] };

    if (!number || number > CACHES_MAX || !cache.object_bytes)
        return;
    if (number >= uses->caches->len)
        g_array_set_size(uses->caches, (guint)number + 1);
    g_array_index(uses->caches, PageUsesCache, number) = cache;
}

static void add_area(PageUses *uses, const TraceChange *change)
{
    PageUsesArea area = { (uint32_t)change->value[0], (uint32_t)change->value[3], change->value[1], change->value[2] };

    if (area.begin >= area.end || uses->areas->len == AREAS_MAX || uses->surveys != 1)
        return;
    if (area.kind == CHANGE_AREA_DIRECT_MAP) {
        uses->direct_map = area.begin;
        uses->direct_map_end = area.end;
    }
    g_array_append_val(uses->areas, area);
}

/* A new survey is made because nothing was recorded for some time. What was known before no longer holds, except for
 * tasks' stacks. */
static void end_uses(PageUses *uses, const TraceChange *change)
{
    guint count;
    g_autofree gpointer *pages = g_hash_table_get_keys_as_array(uses->at, &count);

    for (guint i = 0; i < count; i++) {
        uint64_t page = (uintptr_t)pages[i];

        if (find_now(uses, page)->kind != PAGE_STACK)
            add(uses, change, (PageUse){ .kind = PAGE_NOTHING }, page, 1);
    }
}

static void survey(PageUses *uses, const TraceChange *change)
{
    if (change->value[0] == 1 && uses->surveys++)
        end_uses(uses, change);
    uses->surveying_vcpu = change->value[0] == 1 ? change->vcpu + 1 : 0;
    if (change->value[0] == 2)
        uses->told |= (unsigned)change->value[1];
}

void page_uses_add(PageUses *uses, const TraceChange *change)
{
    switch (change->kind) {
    case CHANGE_TASK:
        if (!change->value[5])
            g_hash_table_add(uses->old_tasks, GUINT_TO_POINTER((guint)change->value[0]));
        break;
    case CHANGE_USES:
        survey(uses, change);
        break;
    case CHANGE_KERNEL_AREA:
        add_area(uses, change);
        break;
    case CHANGE_SLAB_CACHE:
        add_cache(uses, change);
        break;
    case CHANGE_SLAB:
        add_slabs(uses, change);
        break;
    case CHANGE_PAGE_TABLE:
        add(uses, change, (PageUse){ .kind = change->value[0] ? PAGE_TABLE : PAGE_NOTHING }, change->value[1],
            change->value[2]);
        break;
    case CHANGE_KERNEL_STACK:
        add_range(uses, change, (PageUse){ .kind = PAGE_STACK, .number = (uint32_t)change->value[0] }, change->value[1],
                  change->value[2]);
        break;
    case CHANGE_VMALLOC:
        begin_range(uses, change);
        break;
    case CHANGE_VFREE:
        end_range(uses, change);
        break;
    default:
        break;
    }
}

static gint compare(gconstpointer a, gconstpointer b)
{
    const PageUse *x = a, *y = b;

    if (x->page != y->page)
        return x->page < y->page ? -1 : 1;
    return (x->position > y->position) - (x->position < y->position);
}

/* A task's stack is told when the task is first seen. A task that was there when the trace began has had its stack
 * since then, unless the pages had another use in between. */
static void date_stacks(PageUses *uses)
{
    for (guint i = 0; i < uses->uses->len; i++) {
        PageUse *use = &g_array_index(uses->uses, PageUse, i);
        const PageUse *before = i && use[-1].page == use->page ? use - 1 : NULL;

        if (use->kind == PAGE_STACK && g_hash_table_contains(uses->old_tasks, GUINT_TO_POINTER(use->number)) &&
            (!before || (before->kind == PAGE_VMALLOC && !before->position)))
            use->position = 0;
    }
}

static PageUses *make(bool is_live)
{
    PageUses *uses = g_new0(PageUses, 1);

    uses->is_live = is_live;
    uses->ends = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    uses->old_tasks = g_hash_table_new(g_direct_hash, g_direct_equal);
    uses->uses = g_array_new(FALSE, FALSE, sizeof(PageUse));
    uses->at = g_hash_table_new(NULL, NULL);
    uses->areas = g_array_new(FALSE, FALSE, sizeof(PageUsesArea));
    uses->caches = g_array_new(FALSE, TRUE, sizeof(PageUsesCache));
    uses->texts = g_string_chunk_new(4096);
    return uses;
}

PageUses *page_uses_new_live(void)
{
    return make(true);
}

PageUses *page_uses_new_of(const TraceChanges *changes, uint32_t input)
{
    PageUses *uses = make(false);

    for (guint i = 0; changes && i < changes->list->len; i++) {
        const TraceChange *change = &g_array_index(changes->list, TraceChange, i);

        if (change->value[CHANGE_INPUT] == input)
            page_uses_add(uses, change);
    }
    sort_runs(uses->uses, compare); /* equal ones stay in the trace's order */
    date_stacks(uses);
    g_clear_pointer(&uses->ends, g_hash_table_unref);
    g_clear_pointer(&uses->old_tasks, g_hash_table_unref);
    g_clear_pointer(&uses->at, g_hash_table_unref);
    for (guint i = 0; i < FOUND; i++)
        uses->found[i].page = UINT64_MAX;
    return uses;
}

void page_uses_free(PageUses *uses)
{
    if (!uses)
        return;
    g_array_unref(uses->uses);
    g_clear_pointer(&uses->at, g_hash_table_unref);
    g_clear_pointer(&uses->ends, g_hash_table_unref);
    g_clear_pointer(&uses->old_tasks, g_hash_table_unref);
    g_array_unref(uses->areas);
    g_array_unref(uses->caches);
    g_string_chunk_free(uses->texts);
    g_free(uses);
}

unsigned page_uses_told(const PageUses *uses)
{
    return uses->told;
}

const GArray *page_uses_areas(const PageUses *uses)
{
    return uses->areas;
}

const PageUsesCache *page_uses_cache(const PageUses *uses, uint32_t number)
{
    const PageUsesCache *cache =
        number < uses->caches->len ? &g_array_index(uses->caches, PageUsesCache, number) : NULL;

    return cache && cache->name ? cache : NULL;
}

/* The number of uses of lower pages; with `of_page`, and of this page's uses at this position or before it. */
static guint count_before(const PageUses *uses, guint low, guint high, uint64_t page, uint64_t position, bool of_page)
{
    while (low < high) {
        guint middle = low + (high - low) / 2;
        const PageUse *use = &g_array_index(uses->uses, PageUse, middle);

        if (use->page < page || (of_page && use->page == page && use->position <= position))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const PageUse *page_uses_find(PageUses *uses, uint64_t page, uint64_t position, uint64_t *from, uint64_t *to)
{
    Found *found = &uses->found[page % FOUND];
    guint end;

    if (uses->is_live)
        return find_now(uses, page);
    if (found->page != page) {
        guint begin = count_before(uses, 0, uses->uses->len, page, 0, false);

        *found = (Found){ page, begin, count_before(uses, begin, uses->uses->len, page, UINT64_MAX, true) };
    }
    end = count_before(uses, found->begin, found->end, page, position, true);
    *to = end < found->end ? g_array_index(uses->uses, PageUse, end).position : UINT64_MAX;
    *from = end > found->begin ? g_array_index(uses->uses, PageUse, end - 1).position : 0;
    return end > found->begin ? &g_array_index(uses->uses, PageUse, end - 1) : NULL;
}
