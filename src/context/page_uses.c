/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel's pages are used for: see page_uses.h. The changes are not trusted. */
#include "page_uses.h"

/* So many pages one change may be of (4 GiB), and all together. */
#define CHANGE_PAGES_MAX (UINT64_C(1) << 20)
#define USES_MAX (1u << 24)
#define CACHES_MAX 65536
#define AREAS_MAX 4096
#define FOUND 1024 /* entries of the table of what was looked for */

/* Where the uses of a page are in the array. */
typedef struct {
    uint64_t page;
    guint begin, end;
} Found;

struct PageUses {
    GArray *uses;    /* PageUse, by page, then in the order of the trace; or */
    GHashTable *now; /* PageUse by page, which it begins with: of a running guest, or while a trace is read */
    GArray *areas;   /* PageUsesArea */
    GArray *caches;  /* PageUsesCache, by number */
    GStringChunk *texts;
    unsigned told;
    Found found[FOUND];
    /* While reading: */
    unsigned looks;        /* how often the kernel was looked at as a whole */
    uint32_t looking_vcpu; /* by which vCPU now, plus 1; 0: by none */
    uint64_t direct_map, direct_map_end;
    GHashTable *ends;      /* of vmalloc()'s areas, by where they begin */
    GHashTable *old_tasks; /* numbers of those that were there when the trace began */
};

/* What the first look finds has been so since the trace began: whatever changes it looks first. */
static uint64_t position_of(const PageUses *uses, const TraceChange *change)
{
    return uses->looks == 1 && uses->looking_vcpu == change->vcpu + 1 ? 0 : change->index;
}

/* False if it changes nothing: when the kernel is looked at, a stack may be told already, as its task was seen before.
 */
static bool replace(PageUses *uses, const PageUse *use)
{
    const PageUse *before = g_hash_table_lookup(uses->now, &use->page);

    if (before && uses->looking_vcpu && before->kind == PAGE_STACK && use->kind == PAGE_VMALLOC)
        return false;
    if (use->kind == PAGE_NOTHING)
        g_hash_table_remove(uses->now, &use->page);
    else
        g_hash_table_add(uses->now, g_memdup2(use, sizeof *use));
    return true;
}

static void add(PageUses *uses, const TraceChange *change, PageUse use, uint64_t first, uint64_t count)
{
    use.position = position_of(uses, change);
    if (count > CHANGE_PAGES_MAX || first > UINT64_MAX - count || g_hash_table_size(uses->now) > USES_MAX ||
        (uses->uses && uses->uses->len > USES_MAX))
        return;
    for (uint64_t i = 0; i < count; i++) {
        use.page = first + i;
        if (replace(uses, &use) && uses->uses)
            g_array_append_val(uses->uses, use);
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

/* The page of a virtual address: of the direct map, it is a frame. */
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

/* It is told where it begins; the last use of this page that was told says where it ends. */
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

    if (area.begin >= area.end || uses->areas->len == AREAS_MAX || uses->looks != 1)
        return;
    if (area.kind == CHANGE_AREA_DIRECT_MAP) {
        uses->direct_map = area.begin;
        uses->direct_map_end = area.end;
    }
    g_array_append_val(uses->areas, area);
}

/* The kernel is looked at again, as the run has been interrupted: what was told no longer counts. Of tasks' stacks it
 * does. */
static void forget(PageUses *uses, const TraceChange *change)
{
    g_autoptr(GArray) pages = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    GHashTableIter now;
    gpointer key;

    g_hash_table_iter_init(&now, uses->now);
    while (g_hash_table_iter_next(&now, &key, NULL))
        if (((const PageUse *)key)->kind != PAGE_STACK)
            g_array_append_val(pages, ((const PageUse *)key)->page);
    for (guint i = 0; i < pages->len; i++)
        add(uses, change, (PageUse){ .kind = PAGE_NOTHING }, g_array_index(pages, uint64_t, i), 1);
}

static void look(PageUses *uses, const TraceChange *change)
{
    if (change->value[0] == 1 && uses->looks++)
        forget(uses, change);
    uses->looking_vcpu = change->value[0] == 1 ? change->vcpu + 1 : 0;
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
        look(uses, change);
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

/* A task is told when it is first seen. One that was there before has had its stack since the trace began, if nobody
 * else has had it meanwhile. */
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

static PageUses *make(void)
{
    PageUses *uses = g_new0(PageUses, 1);

    uses->ends = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    uses->old_tasks = g_hash_table_new(g_direct_hash, g_direct_equal);
    uses->now = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    uses->areas = g_array_new(FALSE, FALSE, sizeof(PageUsesArea));
    uses->caches = g_array_new(FALSE, TRUE, sizeof(PageUsesCache));
    uses->texts = g_string_chunk_new(4096);
    return uses;
}

PageUses *page_uses_new_live(void)
{
    return make();
}

PageUses *page_uses_new_of(const TraceChanges *changes, uint32_t input)
{
    PageUses *uses = make();

    uses->uses = g_array_new(FALSE, FALSE, sizeof(PageUse));
    for (guint i = 0; changes && i < changes->list->len; i++) {
        const TraceChange *change = &g_array_index(changes->list, TraceChange, i);

        if (change->value[CHANGE_INPUT] == input)
            page_uses_add(uses, change);
    }
    g_array_sort(uses->uses, compare); /* it keeps the order of equal ones */
    date_stacks(uses);
    g_clear_pointer(&uses->ends, g_hash_table_unref);
    g_clear_pointer(&uses->old_tasks, g_hash_table_unref);
    g_clear_pointer(&uses->now, g_hash_table_unref);
    for (guint i = 0; i < FOUND; i++)
        uses->found[i].page = UINT64_MAX;
    return uses;
}

void page_uses_free(PageUses *uses)
{
    if (!uses)
        return;
    g_clear_pointer(&uses->uses, g_array_unref);
    g_clear_pointer(&uses->now, g_hash_table_unref);
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

/* The number of uses that come before a page's, or, of these, those whose position is at most this. */
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

    if (!uses->uses)
        return g_hash_table_lookup(uses->now, &page);
    if (found->page != page) {
        guint begin = count_before(uses, 0, uses->uses->len, page, 0, false);

        *found = (Found){ page, begin, count_before(uses, begin, uses->uses->len, page, UINT64_MAX, true) };
    }
    end = count_before(uses, found->begin, found->end, page, position, true);
    *to = end < found->end ? g_array_index(uses->uses, PageUse, end).position : UINT64_MAX;
    *from = end > found->begin ? g_array_index(uses->uses, PageUse, end - 1).position : 0;
    return end > found->begin ? &g_array_index(uses->uses, PageUse, end - 1) : NULL;
}
