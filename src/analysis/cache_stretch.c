/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stretch of a trace, for which the caches' contents at its begin aren't known: see cache_private.h. It is a case of
 * time partitioning (Heidelberger and Stone 1990): the first level is simulated as if it had been empty. With LRU, a
 * line that was used in the stretch, and is still there, is there in truth, too. So such a hit is certain, and needn't
 * be simulated again. All else (a line's first use in the stretch, its first store, a certain miss) becomes an event,
 * and is simulated in all levels when their contents at the stretch's begin are known: that is little.
 *
 * While the events are simulated, the lines of a set that were used in the stretch come before the others, but not in
 * their true order, as certain hits are missing. That matters only when one of them is replaced, which happens when all
 * lines of the set are of the stretch: then the event says which one. At the end, the order is put right.
 */
#include "cache_private.h"

#define EVENTS_USUAL (1u << 15)
#define EVENTS_AT_ONCE 256

bool cache_stretch_may_be(const CacheDesign *design)
{
    const CacheLevel *first = &design->level[0];

    return first->policy == CACHE_LRU && cache_array_is_small(first->sets, first->ways);
}

void cache_stretch_begin(Cache *cache)
{
    CacheDesign first = cache->design;

    first.levels = 1;
    cache_feed_free(cache->feed);
    cache->feed = cache_feed_new(&first);
    cache->events = g_array_sized_new(FALSE, FALSE, sizeof(CacheEvent), EVENTS_USUAL);
}

/* What other vCPUs' private caches do (cache_model.c): a store takes the line from them, and behind a load, the next
 * store is told to them again. */
static void tell_others(Cache *cache, const CacheCore *core, uint64_t line, bool is_store)
{
    CacheModel *model = cache->feed->model;

    for (unsigned i = 0; i < model->cores && !cache->design.level[0].shared; i++) {
        CacheArray *array = model->list[i]->array[0];
        size_t slot = model->list[i] == core ? CACHE_NOT_FOUND : cache_array_find(array, line);

        if (slot == CACHE_NOT_FOUND)
            continue;
        if (is_store)
            cache_array_remove(array, line, slot);
        else
            array->words[slot] &= ~(uint64_t)CACHE_DIRTY;
    }
}

typedef struct {
    Cache *cache;
    CacheCore *core;
    const struct mt_batch *batch;
    CacheEvent events[EVENTS_AT_ONCE]; /* that aren't the cache's yet */
    guint count;
    /* Those of them that may be misses: which ones, and their records. */
    guint missed[EVENTS_AT_ONCE];
    uint32_t records[EVENTS_AT_ONCE];
    size_t misses;
} Adder;

static void flush(Adder *adder)
{
    uint32_t objects[EVENTS_AT_ONCE];

    if (adder->misses)
        context_objects_at(adder->cache->context, adder->batch, adder->records, adder->misses, objects);
    for (size_t i = 0; i < adder->misses; i++)
        adder->events[adder->missed[i]].object = objects[i];
    g_array_append_vals(adder->cache->events, adder->events, adder->count);
    adder->misses = adder->count = 0;
}

/* Uses a line of the first level that isn't certain to be there. */
static void add_miss(Adder *adder, size_t i, CacheEvent *event)
{
    event->victim = cache_array_insert(adder->core->array[0], event->line, event->is_store ? CACHE_DIRTY : 0);
    adder->missed[adder->misses] = adder->count;
    adder->records[adder->misses++] = (uint32_t)i;
}

/* Uses a line of the first level that is there. Returns whether that is all that happens. */
static bool hits(Adder *adder, size_t slot, const CacheEvent *event)
{
    CacheArray *array = adder->core->array[0];
    uint64_t *word = &array->words[cache_array_touch(array, event->line, slot)];

    if (!event->is_store || *word & CACHE_DIRTY)
        return true;
    *word |= CACHE_DIRTY;
    return false;
}

static void use_line(Adder *adder, size_t i, uint64_t line)
{
    const struct mt_batch *batch = adder->batch;
    uint8_t info = batch->info[i];
    size_t slot = cache_array_find(adder->core->array[0], line);
    CacheEvent *event = &adder->events[adder->count];

    *event = (CacheEvent){ .line = line,
                           .instruction = batch->instruction ? batch->instruction[i] : 0,
                           .vcpu = (uint16_t)batch->vcpu,
                           .cpl = (uint8_t)mt_cpl(info),
                           .is_store = mt_is_store(info) };
    if (slot == CACHE_NOT_FOUND)
        add_miss(adder, i, event);
    else if (hits(adder, slot, event))
        return;
    if (++adder->count == EVENTS_AT_ONCE)
        flush(adder);
    tell_others(adder->cache, adder->core, line, mt_is_store(info));
}

/* As add_record() in cache.c. */
static void add_record(Adder *adder, size_t i)
{
    const struct mt_batch *batch = adder->batch;
    CacheFeedLines lines = cache_feed_lines(adder->cache->feed, batch->address[i], mt_size(batch->info[i]));

    for (uint64_t k = 0; k < lines.count; k++)
        use_line(adder, i, cache_feed_line(&lines, k));
    adder->core->counts[0][mt_cpl(batch->info[i])].accesses += lines.count - 1;
}

void cache_stretch_add(Cache *cache, const struct mt_batch *batch, const uint32_t *records, size_t count)
{
    Adder adder;
    const CacheArray array = *cache_model_core(cache->feed->model, batch->vcpu)->array[0]; /* stays in registers */
    unsigned shift = cache->design.line_shift;

    adder.cache = cache;
    adder.core = cache_model_core(cache->feed->model, batch->vcpu);
    adder.batch = batch;
    adder.misses = adder.count = 0;
    for (size_t k = 0; k < count; k++) {
        size_t i = records[k];
        uint64_t address = batch->address[i], line = address >> shift;
        uint8_t info = batch->info[i];

        if (G_UNLIKELY(((address + mt_size(info) - 1) >> shift) != line) ||
            !cache_array_hits_again(&array, line, mt_is_store(info)))
            add_record(&adder, i);
    }
    flush(&adder);
}

void cache_stretch_replay(Cache *cache, const Cache *stretch)
{
    CacheModel *model = cache->feed->model;

    for (guint i = 0; i < stretch->events->len; i++) {
        const CacheEvent *event = &g_array_index(stretch->events, CacheEvent, i);
        CacheCore *core = cache_model_core(model, event->vcpu);
        unsigned missed;

        if (event->victim)
            cache_array_put_last(core->array[0], cache_word_line(event->victim));
        missed = cache_model_access(model, core, event->line, event->is_store, event->cpl);
        if (!missed)
            continue;
        cache_count_miss(cache, missed, event->line, event->instruction);
        if (cache->has_objects)
            cache_count_object(cache, missed, event->object);
    }
    for (unsigned vcpu = 0; vcpu < CACHE_MAX_VCPUS; vcpu++)
        if (stretch->feed->model->core[vcpu])
            cache_array_order_as(cache_model_core(model, vcpu)->array[0], stretch->feed->model->core[vcpu]->array[0]);
}
