/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hierarchy of caches: see cache_model.h. Each function below does what one level does for the level above it, and
 * calls a function for the next level. Behind the last level is memory.
 */
#include "cache_model.h"

#define PAGE_SHIFT 12

static void put_line(CacheModel *model, unsigned level, uint64_t line, unsigned flags);

CacheModel *cache_model_new(const CacheDesign *design)
{
    CacheModel *model = g_new0(CacheModel, 1);

    model->design = *design;
    return model;
}

static void free_core(CacheModel *model, CacheCore *core)
{
    for (unsigned level = 0; level < model->design.levels; level++)
        if (!model->design.level[level].shared || core == model->list[0]) {
            cache_array_free(core->array[level]);
            lru_shadow_free(core->shadow[level]);
        }
}

void cache_model_free(CacheModel *model)
{
    if (!model)
        return;
    for (unsigned i = 0; i < model->cores; i++)
        free_core(model, model->list[i]);
    for (unsigned i = 0; i < model->cores; i++)
        g_free(model->list[i]);
    g_free(model);
}

static CacheCore *new_core(CacheModel *model)
{
    CacheCore *core = g_new0(CacheCore, 1);

    for (unsigned i = 0; i < model->design.levels; i++) {
        const CacheLevel *level = &model->design.level[i];
        const CacheCore *other = level->shared && model->cores ? model->list[0] : NULL;

        core->array[i] = other ? other->array[i] : cache_array_new(level->sets, level->ways, level->policy);
        if (model->design.classify)
            core->shadow[i] = other ? other->shadow[i] : lru_shadow_new(level->sets * level->ways);
    }
    return core;
}

CacheCore *cache_model_core(CacheModel *model, unsigned vcpu)
{
    CacheCore **core = &model->core[vcpu % CACHE_MAX_VCPUS];

    if (!*core) {
        *core = new_core(model);
        model->list[model->cores++] = *core;
    }
    return *core;
}

bool cache_model_has_fast_path(const CacheDesign *design)
{
    return !design->write_through && !design->classify;
}

static CacheCounts *counts(CacheModel *model, unsigned level)
{
    return &model->current->counts[level][model->cpl];
}

static bool is_exclusive(const CacheModel *model, unsigned level)
{
    return level < model->design.levels && model->design.level[level].inclusion == CACHE_EXCLUSIVE;
}

static void use_memory(CacheModel *model, uint64_t line, bool is_write)
{
    *(is_write ? &model->memory_writes : &model->memory_reads) += 1;
    if (model->memory && !model->memory_failed)
        model->memory_failed = !model->memory(model->memory_data, line, is_write);
}

/* Removes the line from one array. Returns whether it was dirty there. */
static bool invalidate(CacheModel *model, CacheCore *core, unsigned level, uint64_t line)
{
    CacheArray *array = core->array[level];
    size_t slot = cache_array_find(array, line);
    bool dirty;

    if (slot == CACHE_NOT_FOUND)
        return false;
    dirty = array->words[slot] & CACHE_DIRTY;
    cache_array_remove(array, line, slot);
    counts(model, level)->invalidations++;
    return dirty;
}

/* An inclusive level has lost a line: removes it from the levels above. Returns whether it was dirty in one of them. */
static bool invalidate_above(CacheModel *model, unsigned level, uint64_t line)
{
    bool all = model->design.level[level].shared, dirty = false;

    for (unsigned above = 0; above < level; above++) {
        bool once = !all || model->design.level[above].shared;

        for (unsigned i = 0; i < (once ? 1 : model->cores); i++)
            dirty |= invalidate(model, once ? model->current : model->list[i], above, line);
    }
    return dirty;
}

/* A line was replaced: it goes to the next level if it is dirty, or if the next level is exclusive. */
static void evict(CacheModel *model, unsigned level, uint64_t word)
{
    uint64_t line = cache_word_line(word);
    bool dirty = word & CACHE_DIRTY;

    counts(model, level)->evictions++;
    if (level && model->design.level[level].inclusion == CACHE_INCLUSIVE)
        dirty |= invalidate_above(model, level, line);
    counts(model, level)->writebacks += dirty;
    if (dirty || is_exclusive(model, level + 1))
        put_line(model, level + 1, line, dirty ? CACHE_DIRTY : 0);
}

static void fill(CacheModel *model, unsigned level, uint64_t line, unsigned flags)
{
    uint64_t victim = cache_array_insert(model->current->array[level], line, flags);

    if (victim)
        evict(model, level, victim);
}

/* A line comes from the level above. That isn't a use: if the line is there already, its place in the order stays. */
static void put_line(CacheModel *model, unsigned level, uint64_t line, unsigned flags)
{
    CacheArray *array;
    size_t slot;

    if (level == model->design.levels) {
        use_memory(model, line, true);
        return;
    }
    array = model->current->array[level];
    slot = cache_array_find(array, line);
    if (slot == CACHE_NOT_FOUND)
        fill(model, level, line, flags);
    else
        array->words[slot] |= flags;
}

static void count_access(CacheModel *model, unsigned level, uint64_t line, bool missed)
{
    LruShadow *shadow = model->current->shadow[level];
    LruShadowResult result = shadow ? lru_shadow_access(shadow, line) : LRU_SHADOW_HIT;

    counts(model, level)->accesses += level > 0;
    if (!missed)
        return;
    counts(model, level)->misses++;
    model->missed |= 1u << level;
    if (shadow)
        counts(model, level)
            ->classes[result == LRU_SHADOW_FIRST  ? CACHE_COMPULSORY
                      : result == LRU_SHADOW_MISS ? CACHE_CAPACITY
                                                  : CACHE_CONFLICT]++;
}

/* Reads a line for the level above. Returns CACHE_DIRTY if that level must write it back later. */
static unsigned read_line(CacheModel *model, unsigned level, uint64_t line)
{
    CacheArray *array;
    size_t slot;
    unsigned flags;

    if (level == model->design.levels) {
        use_memory(model, line, false);
        return 0;
    }
    array = model->current->array[level];
    slot = cache_array_find(array, line);
    if (model->is_demand)
        count_access(model, level, line, slot == CACHE_NOT_FOUND);
    if (slot != CACHE_NOT_FOUND && is_exclusive(model, level)) {
        flags = array->words[slot] & CACHE_DIRTY;
        cache_array_remove(array, line, slot);
        return flags;
    }
    if (slot != CACHE_NOT_FOUND) {
        cache_array_touch(array, line, slot);
        return 0;
    }
    flags = read_line(model, level + 1, line);
    if (is_exclusive(model, level))
        return flags;
    fill(model, level, line, flags);
    return 0;
}

/* A store that the first level passes on. */
static void store_line(CacheModel *model, unsigned level, uint64_t line)
{
    CacheArray *array;
    size_t slot;
    unsigned flags;

    if (level == model->design.levels) {
        use_memory(model, line, true);
        return;
    }
    array = model->current->array[level];
    slot = cache_array_find(array, line);
    count_access(model, level, line, slot == CACHE_NOT_FOUND);
    if (slot != CACHE_NOT_FOUND) {
        slot = cache_array_touch(array, line, slot);
        array->words[slot] |= CACHE_DIRTY;
        return;
    }
    flags = read_line(model, level + 1, line);
    fill(model, level, line, flags | CACHE_DIRTY);
}

/* What other vCPUs' private caches do when this vCPU reads or writes a line (snooping, with three states). A dirty line
 * is written back to the first shared level; a line that this vCPU stores to is invalidated. Returns whether another
 * private cache still has the line. */
static bool snoop(CacheModel *model, const CacheCore *asking, uint64_t line, bool is_store)
{
    unsigned private = 0;
    bool shared = false;

    while (private < model->design.levels && !model->design.level[private].shared)
    private++;
    for (unsigned i = 0; i < model->cores; i++)
        for (unsigned level = 0; level < private && model->list[i] != asking; level++) {
            CacheArray *array = model->list[i]->array[level];
            size_t slot = cache_array_find(array, line);
            bool dirty;

            if (slot == CACHE_NOT_FOUND)
                continue;
            dirty = array->words[slot] & CACHE_DIRTY;
            if (is_store)
                invalidate(model, model->list[i], level, line);
            else
                array->words[slot] = (array->words[slot] & ~(uint64_t)CACHE_DIRTY) | CACHE_SHARED;
            shared |= !is_store;
            counts(model, level)->writebacks += dirty;
            if (dirty)
                put_line(model, private, line, CACHE_DIRTY);
        }
    return shared;
}

static unsigned snoop_flags(CacheModel *model, const CacheCore *asking, uint64_t line, bool is_store)
{
    return model->cores > 1 && snoop(model, asking, line, is_store) ? CACHE_SHARED : 0;
}

static void begin_access(CacheModel *model, CacheCore *core, unsigned cpl, bool is_demand)
{
    model->current = core;
    model->cpl = cpl;
    model->missed = 0;
    model->is_demand = is_demand;
}

void cache_model_prefetch(CacheModel *model, CacheCore *core, uint64_t line, unsigned cpl)
{
    unsigned flags;

    if (cache_array_find(core->array[0], line) != CACHE_NOT_FOUND)
        return;
    begin_access(model, core, cpl, false);
    flags = snoop_flags(model, core, line, false);
    flags |= read_line(model, 1, line);
    counts(model, 0)->prefetches++;
    fill(model, 0, line, flags | CACHE_PREFETCHED);
}

static void hit_first(CacheModel *model, uint64_t line, size_t slot, bool is_store)
{
    CacheArray *array = model->current->array[0];
    uint64_t *word;

    count_access(model, 0, line, false);
    word = &array->words[cache_array_touch(array, line, slot)];
    counts(model, 0)->useful_prefetches += !!(*word & CACHE_PREFETCHED);
    *word &= ~(uint64_t)CACHE_PREFETCHED;
    if (!is_store)
        return;
    if (*word & CACHE_SHARED)
        snoop(model, model->current, line, true);
    *word &= ~(uint64_t)CACHE_SHARED;
    if (model->design.write_through)
        store_line(model, 1, line);
    else
        *word |= CACHE_DIRTY;
}

static void miss_first(CacheModel *model, uint64_t line, bool is_store)
{
    unsigned flags = snoop_flags(model, model->current, line, is_store);

    count_access(model, 0, line, true);
    if (is_store && model->design.no_allocate) {
        store_line(model, 1, line);
        return;
    }
    flags |= read_line(model, 1, line);
    fill(model, 0, line, flags | (is_store && !model->design.write_through ? CACHE_DIRTY : 0));
    if (is_store && model->design.write_through)
        store_line(model, 1, line);
}

unsigned cache_model_access(CacheModel *model, CacheCore *core, uint64_t line, bool is_store, unsigned cpl)
{
    size_t slot = cache_array_find(core->array[0], line);
    bool trigger = slot == CACHE_NOT_FOUND || core->array[0]->words[slot] & CACHE_PREFETCHED;
    unsigned missed;

    begin_access(model, core, cpl, true);
    if (slot != CACHE_NOT_FOUND)
        hit_first(model, line, slot, is_store);
    else
        miss_first(model, line, is_store);
    missed = model->missed;
    /* Tagged prefetching: triggered by a miss, and by the first use of a prefetched line. It doesn't cross pages,
     * because the next page may be anywhere in physical memory. */
    if (trigger && model->design.prefetch == CACHE_NEXT_LINE &&
        ((line + 1) & ((UINT64_C(1) << (PAGE_SHIFT - model->design.line_shift)) - 1)))
        cache_model_prefetch(model, core, line + 1, cpl);
    return missed;
}

void cache_model_add_counts(CacheModel *model, const CacheModel *other)
{
    for (unsigned vcpu = 0; vcpu < CACHE_MAX_VCPUS; vcpu++) {
        const CacheCore *from = other->core[vcpu];
        CacheCore *core = from ? cache_model_core(model, vcpu) : NULL;

        for (unsigned level = 0; core && level < model->design.levels; level++)
            for (unsigned cpl = 0; cpl < CACHE_CPLS; cpl++)
                for (size_t i = 0; i < sizeof(CacheCounts) / sizeof(uint64_t); i++)
                    ((uint64_t *)&core->counts[level][cpl])[i] += ((const uint64_t *)&from->counts[level][cpl])[i];
    }
    model->memory_reads += other->memory_reads;
    model->memory_writes += other->memory_writes;
}
