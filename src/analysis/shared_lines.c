/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines and who touches them: see shared_lines.h. */
#include "shared_lines.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HASH_FACTOR UINT64_C(0x9e3779b97f4a7c15)
#define FIRST_SLOTS 4096
#define RECENT 2048
#define PAGE_BYTES 4096u
#define SHORT_BYTES (1u << SHARED_SHORT_SHIFT)
/* Chunks of memory. Behind the first ones, they are huge pages, if there are any: blocks that are touched at random are
 * slow to find. */
#define SMALL_CHUNK_BYTES 16384u
#define SMALL_CHUNKS 128
#define HUGE_CHUNK_BYTES (8u << 20) /* as up to a page of addresses is lost with each */
#define HUGE_PAGE_BYTES (2u << 20)
#define SIZE_CODES 8
#define MERGED_AT_ONCE 16 /* blocks */
#define ALL_SIZES ((1u << SHARED_SIZES) - 1)

/* Small, as most accesses look here: whose the sharer is stands beside what an access changes of it. */
typedef struct {
    uint64_t key; /* the block's number plus 1 */
    Sharer *sharer;
} Recent;

/* An access to a short line, or the part of an access that is in the line. */
typedef struct {
    const struct mt_batch *batch;
    size_t record; /* in it */
    uint64_t address, virtual_address;
    uint32_t who, space;
    uint32_t object; /* if that was asked for */
    bool has_object;
} Piece;

struct SharedLines {
    SharedBlock **slots; /* a hash table, at most half full */
    size_t slot_count, used;
    SharedBlock *newest;              /* of all blocks */
    GPtrArray *chunks;                /* what blocks and sharers are in */
    size_t chunk_bytes, chunk_used;   /* of the last one */
    Recent *recent[SHARED_MAX_VCPUS]; /* or NULL */
    LineCounts pairs[SHARED_SIZES];
    uint64_t touched[SHARED_SIZES]; /* lines */
    uint32_t stretch;
    SharedObjectFunc object_of; /* or NULL */
    const void *object_data;
    /* What an access touches, by the code of its size and where in a short line it begins; 0: the next line, too. */
    uint16_t words[SIZE_CODES * SHORT_BYTES];
};

/* A bit for each word that has any of the bytes `first` to `last` of a short line. */
static uint16_t words_of(unsigned first, unsigned last)
{
    unsigned low = first >> SHARED_WORD_SHIFT, high = last >> SHARED_WORD_SHIFT;

    return (uint16_t)((UINT16_MAX >> (15 - high)) & (UINT16_MAX << low));
}

/* What an access touches, if that is in one short line; or 0. */
static inline uint16_t words_at(const SharedLines *lines, uint8_t info, uint64_t address)
{
    return lines->words[info % SIZE_CODES * SHORT_BYTES + address % SHORT_BYTES];
}

SharedLines *shared_lines_new(void)
{
    SharedLines *lines = g_new0(SharedLines, 1);

    lines->slot_count = FIRST_SLOTS;
    lines->slots = g_new0(SharedBlock *, lines->slot_count);
    lines->chunks = g_ptr_array_new_with_free_func(free);
    for (unsigned code = 0; code < SIZE_CODES; code++)
        for (unsigned first = 0; first + (1u << code) <= SHORT_BYTES; first++)
            lines->words[code * SHORT_BYTES + first] = words_of(first, first + (1u << code) - 1);
    return lines;
}

void shared_lines_free(SharedLines *lines)
{
    if (!lines)
        return;
    for (guint i = 0; i < SHARED_MAX_VCPUS; i++)
        g_free(lines->recent[i]);
    for (guint i = 0; i < SHARED_SIZES; i++)
        line_counts_clear(&lines->pairs[i]);
    g_clear_pointer(&lines->chunks, g_ptr_array_unref);
    g_free(lines->slots);
    g_free(lines);
}

void shared_lines_set_objects(SharedLines *lines, SharedObjectFunc object_of, const void *data)
{
    lines->object_of = object_of;
    lines->object_data = data;
}

/* By the highest bits of the product (Fibonacci hashing; Knuth, TAOCP 3, 6.4): only these depend on the space, too. The
 * same addresses in many spaces would be probed one behind the other. */
static size_t first_slot(size_t count, uint64_t number, uint32_t space)
{
    return (size_t)(((number ^ (uint64_t)space << 40) * HASH_FACTOR) >> (64 - __builtin_ctzll(count)));
}

static size_t find_slot(SharedBlock *const *slots, size_t count, uint64_t number, uint32_t space)
{
    size_t at = first_slot(count, number, space);

    while (slots[at] && (slots[at]->number != number || slots[at]->space != space))
        at = (at + 1) & (count - 1);
    return at;
}

static void grow(SharedLines *lines)
{
    size_t count = 2 * lines->slot_count;
    SharedBlock **slots = g_new0(SharedBlock *, count);

    for (size_t i = 0; i < lines->slot_count; i++)
        if (lines->slots[i])
            slots[find_slot(slots, count, lines->slots[i]->number, lines->slots[i]->space)] = lines->slots[i];
    g_free(lines->slots);
    lines->slots = slots;
    lines->slot_count = count;
}

/* All zeros, at the beginning of a cache line: `bytes` are a multiple of 64. Out of memory, it ends as GLib does. */
static void *allocate(SharedLines *lines, size_t bytes)
{
    if (lines->chunk_used + bytes > lines->chunk_bytes) {
        bool is_huge = lines->chunks->len >= SMALL_CHUNKS;
        void *chunk;

        lines->chunk_bytes = is_huge ? HUGE_CHUNK_BYTES : SMALL_CHUNK_BYTES;
        if (posix_memalign(&chunk, is_huge ? HUGE_PAGE_BYTES : 64, lines->chunk_bytes))
            g_error("out of memory: %zu bytes", lines->chunk_bytes);
        if (is_huge)
            madvise(chunk, lines->chunk_bytes, MADV_HUGEPAGE);
        g_ptr_array_add(lines->chunks, memset(chunk, 0, lines->chunk_bytes));
        lines->chunk_used = 0;
    }
    lines->chunk_used += bytes;
    return (char *)lines->chunks->pdata[lines->chunks->len - 1] + lines->chunk_used - bytes;
}

static SharedBlock *get_block(SharedLines *lines, uint64_t number, uint32_t space)
{
    size_t at = find_slot(lines->slots, lines->slot_count, number, space);
    SharedBlock *block = lines->slots[at];

    if (block)
        return block;
    if (2 * lines->used >= lines->slot_count) {
        grow(lines);
        at = find_slot(lines->slots, lines->slot_count, number, space);
    }
    lines->used++;
    lines->slots[at] = block = allocate(lines, sizeof *block);
    block->older = lines->newest;
    lines->newest = block;
    block->number = number;
    block->space = space;
    for (guint i = 0; i < SHARED_LINES; i++)
        block->line[i].which = (uint8_t)i;
    return block;
}

static Sharer *find_sharer(const SharedBlock *block, uint32_t who)
{
    Sharer *sharer = block->sharers;

    while (sharer && sharer_number(sharer) != who)
        sharer = sharer->next;
    return sharer;
}

static void begin_votes(Sharer *sharer, uint32_t stretch)
{
    for (guint i = 0; i < SHARER_ALL_USES; i++) {
        majority_vote_add(&sharer->earlier[i], sharer->count[i].vote);
        sharer->count[i].vote = (MajorityVote){ 0 };
    }
    sharer->stretch = stretch;
}

/* The sharer, whose votes are those of this stretch. */
static Sharer *get_sharer(SharedLines *lines, SharedBlock *block, uint32_t who, uint32_t stretch)
{
    Sharer *sharer = find_sharer(block, who);

    if (!sharer) {
        sharer = block->sharers ? allocate(lines, sizeof *sharer) : &block->first;
        sharer->key = shared_key(who, block->space);
        sharer->next = block->sharers;
        block->sharers = sharer;
    }
    if (sharer->stretch != stretch)
        begin_votes(sharer, stretch);
    return sharer;
}

/* Most accesses are to a block that their vCPU has touched recently, for the same sharer. */
static Sharer *look_up(SharedLines *lines, const Piece *piece)
{
    uint64_t number = piece->address >> SHARED_LONG_SHIFT;
    Recent *recent = &lines->recent[piece->batch->vcpu][number % RECENT];

    if (recent->key != number + 1 || recent->sharer->key != shared_key(piece->who, piece->space)) {
        recent->sharer = get_sharer(lines, get_block(lines, number, piece->space), piece->who, lines->stretch);
        recent->key = number + 1;
    }
    return recent->sharer;
}

static inline SharedWhich half_of(uint64_t address)
{
    return address >> SHARED_SHORT_SHIFT & 1;
}

static bool may(const SharedLine *line, const Sharer *sharer, SharerUse use)
{
    return sharer->may[sharer_use(line->which % SHARED_LONG, use)] >> shared_line_size(line) & 1;
}

static void set_may(const SharedLine *line, Sharer *sharer, SharerUse use, bool value)
{
    for (guint half = 0; half < SHARED_LONG; half++)
        if (line->which == half || line->which == SHARED_LONG) {
            sharer->may[sharer_use(half, use)] &= (uint8_t) ~(1u << shared_line_size(line));
            sharer->may[sharer_use(half, use)] |= (uint8_t)(value << shared_line_size(line));
        }
}

static void count_invalidation(SharedLines *lines, SharedLine *line, uint32_t by, uint32_t of)
{
    line->invalidations++;
    line_counts_get(&lines->pairs[shared_line_size(line)], shared_pair(by, of))[0]++;
}

static void note_writer(SharedLine *line, uint32_t writer)
{
    if (line->writer == writer)
        return;
    if (line->other_writer == writer)
        line->ping_pongs++;
    if (!line->first_writer)
        line->first_writer = writer;
    else if (!line->second_writer)
        line->second_writer = writer;
    line->other_writer = line->writer;
    line->writer = writer;
}

/* Invalidates all other copies of a line. */
static void take_line(SharedLines *lines, SharedBlock *block, SharedLine *line, Sharer *sharer)
{
    for (Sharer *other = block->sharers; other; other = other->next)
        if (other != sharer && may(line, other, SHARER_LOADS)) {
            set_may(line, other, SHARER_LOADS, false);
            set_may(line, other, SHARER_STORES, false);
            if (!line->first_writer)
                other->loaded_first |= (uint8_t)(1u << line->which);
            count_invalidation(lines, line, sharer_number(sharer), sharer_number(other));
        }
    set_may(line, sharer, SHARER_LOADS, true);
    set_may(line, sharer, SHARER_STORES, true);
    line->is_owned = true;
    note_writer(line, sharer_number(sharer) + 1);
}

/* Gives a sharer a copy to read. */
static void share_line(const SharedBlock *block, SharedLine *line, Sharer *sharer)
{
    set_may(line, sharer, SHARER_LOADS, true);
    if (line->is_owned)
        set_may(line, find_sharer(block, line->writer - 1), SHARER_STORES, false);
    line->is_owned = false;
}

static void begin_line(SharedLines *lines, SharedLine *line, Piece *piece)
{
    line->is_touched = true;
    line->virtual_address = piece->virtual_address & ~((UINT64_C(1) << shared_shift(shared_line_size(line))) - 1);
    if (lines->object_of && !piece->has_object) {
        piece->object = lines->object_of(lines->object_data, piece->batch, piece->record);
        piece->has_object = true;
    }
    line->object = piece->object;
    lines->touched[shared_line_size(line)]++;
}

/* Does what an access to a line does to its copies. */
static void use_line(SharedLines *lines, SharedBlock *block, SharedWhich which, Piece *piece, Sharer *sharer,
                     SharerUse use)
{
    SharedLine *line = &block->line[which];

    if (may(line, sharer, use))
        return;
    if (!line->is_touched)
        begin_line(lines, line, piece);
    if (use == SHARER_STORES)
        take_line(lines, block, line, sharer);
    else
        share_line(block, line, sharer);
}

static inline void count_use(SharerCount *count, uint32_t instruction)
{
    MajorityVote *vote = &count->vote;

    count->accesses++;
    if (vote->instruction == instruction)
        vote->votes++;
    else if (vote->votes)
        vote->votes--;
    else
        *vote = (MajorityVote){ instruction, 1 };
}

/* Adds record `i` of a batch, which may reach into further lines. */
static __attribute__((noinline)) void add_access(SharedLines *lines, const struct mt_batch *batch, size_t i,
                                                 uint32_t who, uint32_t space, bool physical)
{
    Piece piece = { .batch = batch,
                    .record = i,
                    .who = who,
                    .space = space,
                    .address = physical ? batch->paddr[i] : batch->address[i],
                    .virtual_address = batch->address[i] };
    unsigned size = mt_size(batch->info[i]);
    SharerUse use = mt_is_store(batch->info[i]) ? SHARER_STORES : SHARER_LOADS;
    bool is_first = true;

    if (physical)
        size = MIN(size, PAGE_BYTES - (unsigned)(piece.address % PAGE_BYTES));
    while (size) {
        unsigned first = (unsigned)(piece.address % SHORT_BYTES), bytes = MIN(size, SHORT_BYTES - first);
        SharedWhich half = half_of(piece.address);
        Sharer *sharer = look_up(lines, &piece);

        if (sharer->may[sharer_use(half, use)] != ALL_SIZES) {
            SharedBlock *block = get_block(lines, piece.address >> SHARED_LONG_SHIFT, space);

            use_line(lines, block, half, &piece, sharer, use);
            use_line(lines, block, SHARED_LONG, &piece, sharer, use);
        }
        sharer->words[sharer_use(half, use)] |= words_of(first, first + bytes - 1);
        if (half == SHARED_LOW || is_first) /* else it is counted */
            count_use(&sharer->count[sharer_use(half == SHARED_LOW && size > bytes ? SHARED_LONG : half, use)],
                      batch->instruction ? batch->instruction[i] : 0);
        is_first = false;
        piece.address += bytes;
        piece.virtual_address += bytes;
        size -= bytes;
    }
}

/* Most accesses are to one short line, in a block that their vCPU has touched recently for the same sharer, and neither
 * the short line's copies nor the long one's change: these are counted here. The last two are constants where that
 * matters. */
static inline __attribute__((always_inline)) void add_records(SharedLines *lines, const struct mt_batch *batch,
                                                              size_t begin, size_t end, uint32_t who, uint32_t space,
                                                              bool physical, bool instructions)
{
    /* These stay in registers. Memory might change with each count. */
    const Recent *recents = lines->recent[batch->vcpu];
    const uint64_t *addresses = physical ? batch->paddr : batch->address;
    const uint64_t key = shared_key(who, space), kernel_key = physical ? key : shared_key(who, 0);

    for (size_t i = begin; i < end; i++) {
        uint64_t address = addresses[i], number = address >> SHARED_LONG_SHIFT;
        const Recent *recent = &recents[number % RECENT];
        unsigned use = sharer_use(half_of(address), mt_is_store(batch->info[i]) ? SHARER_STORES : SHARER_LOADS);
        uint16_t words = words_at(lines, batch->info[i], address);
        Sharer *sharer = recent->sharer;
        bool kernel = address >> 63;

        if (physical && address & MT_PADDR_IO) /* set in MT_PADDR_UNKNOWN, too */
            continue;
        if (G_LIKELY(recent->key == number + 1 && words && sharer->key == (kernel ? kernel_key : key) &&
                     sharer->may[use] == ALL_SIZES)) {
            sharer->words[use] |= words;
            count_use(&sharer->count[use], instructions ? batch->instruction[i] : 0);
        } else {
            add_access(lines, batch, i, who, physical || !kernel ? space : 0, physical);
        }
    }
}

void shared_lines_begin_stretch(SharedLines *lines, uint32_t stretch)
{
    lines->stretch = stretch;
    for (guint i = 0; i < SHARED_MAX_VCPUS; i++)
        if (lines->recent[i]) /* whose sharers' votes are those of the stretch before */
            memset(lines->recent[i], 0, RECENT * sizeof *lines->recent[i]);
}

void shared_lines_add(SharedLines *lines, const struct mt_batch *batch, size_t begin, size_t end, uint32_t who,
                      uint32_t space, bool physical)
{
    if (!lines->recent[batch->vcpu])
        lines->recent[batch->vcpu] = g_new0(Recent, RECENT);
    if (!batch->instruction)
        add_records(lines, batch, begin, end, who, space, physical, false);
    else if (physical)
        add_records(lines, batch, begin, end, who, space, true, true);
    else
        add_records(lines, batch, begin, end, who, space, false, true);
}

/* What the line's first store in a stretch does to a copy from before, and that the copies are those of the stretch
 * then. `next`: what is known of the sharer in the stretch, or NULL. */
static void merge_copy_of_stored(SharedLines *lines, SharedLine *line, Sharer *sharer, const SharedLine *next_line,
                                 const Sharer *next)
{
    bool counted = next && next->loaded_first >> line->which & 1;

    if (may(line, sharer, SHARER_LOADS) && !counted && sharer_number(sharer) + 1 != next_line->first_writer)
        count_invalidation(lines, line, next_line->first_writer - 1, sharer_number(sharer));
    for (SharerUse use = 0; use < SHARER_USES; use++)
        set_may(line, sharer, use, next && may(next_line, next, use));
}

static void merge_writers(SharedLine *line, const SharedLine *next)
{
    note_writer(line, next->first_writer);
    line->is_owned = next->is_owned;
    if (!next->second_writer)
        return;
    note_writer(line, next->second_writer);
    line->writer = next->writer;
    line->other_writer = next->other_writer;
}

static void merge_line(SharedLines *lines, SharedBlock *block, SharedLine *line, const SharedLine *next_line)
{
    const SharedBlock *next_block = shared_line_block(next_line);

    if (!next_line->is_touched)
        return;
    if (!line->is_touched) {
        line->is_touched = true;
        line->virtual_address = next_line->virtual_address;
        line->object = next_line->object;
        lines->touched[shared_line_size(line)]++;
    }
    for (Sharer *sharer = block->sharers; sharer; sharer = sharer->next) {
        const Sharer *next = find_sharer(next_block, sharer_number(sharer));

        if (next_line->first_writer)
            merge_copy_of_stored(lines, line, sharer, next_line, next);
        else if (next && may(next_line, next, SHARER_LOADS) && !may(line, sharer, SHARER_LOADS))
            share_line(block, line, sharer);
    }
    if (next_line->first_writer)
        merge_writers(line, next_line);
    line->invalidations += next_line->invalidations;
    line->ping_pongs += next_line->ping_pongs;
}

static void merge_sharer(SharedLines *lines, SharedBlock *block, const Sharer *next)
{
    Sharer *sharer = get_sharer(lines, block, sharer_number(next), next->stretch);

    for (guint i = 0; i < SHARER_SHORT_USES; i++)
        sharer->words[i] |= next->words[i];
    for (guint i = 0; i < SHARER_ALL_USES; i++) {
        sharer->count[i].accesses += next->count[i].accesses;
        sharer->count[i].vote = next->count[i].vote;
    }
}

static void merge_block(SharedLines *lines, const SharedBlock *next)
{
    SharedBlock *block = get_block(lines, next->number, next->space);

    for (const Sharer *sharer = next->sharers; sharer; sharer = sharer->next)
        merge_sharer(lines, block, sharer);
    for (guint i = 0; i < SHARED_LINES; i++)
        merge_line(lines, block, &block->line[i], &next->line[i]);
}

/* Takes some blocks, in the order in which they lie in memory. The blocks that they are added to are anywhere: those
 * that are there already come into the cache. Returns how many there are. */
static guint take_blocks(const SharedLines *lines, const SharedBlock **from, const SharedBlock **blocks)
{
    SharedBlock *const *slots[MERGED_AT_ONCE];
    guint count = 0;

    for (; *from && count < MERGED_AT_ONCE; *from = (*from)->older) {
        slots[count] = &lines->slots[first_slot(lines->slot_count, (*from)->number, (*from)->space)];
        __builtin_prefetch(slots[count]);
        blocks[count++] = *from;
    }
    for (guint i = 0; i < count; i++)
        for (size_t byte = 0; *slots[i] && byte < sizeof(SharedBlock); byte += 64)
            __builtin_prefetch((const char *)*slots[i] + byte, 1);
    return count;
}

void shared_lines_merge(SharedLines *lines, const SharedLines *next)
{
    const SharedBlock *blocks[MERGED_AT_ONCE], *from = next->newest;
    guint count;

    while ((count = take_blocks(lines, &from, blocks)))
        for (guint i = 0; i < count; i++)
            merge_block(lines, blocks[i]);
    for (guint i = 0; i < SHARED_SIZES; i++)
        line_counts_merge(&lines->pairs[i], &next->pairs[i]);
}

uint64_t shared_lines_count(const SharedLines *lines, SharedSize size)
{
    return lines->touched[size];
}

const LineCounts *shared_lines_pairs(const SharedLines *lines, SharedSize size)
{
    return &lines->pairs[size];
}

GPtrArray *shared_lines_list(const SharedLines *lines, SharedSize size)
{
    GPtrArray *list = g_ptr_array_new();

    for (size_t i = 0; i < lines->slot_count; i++) {
        SharedBlock *block = lines->slots[i];

        for (guint k = 0; block && block->sharers->next && k < SHARED_LINES; k++)
            if (shared_line_size(&block->line[k]) == size && shared_line_kind(&block->line[k]) != SHARED_BY_NOBODY)
                g_ptr_array_add(list, &block->line[k]);
    }
    return list;
}
