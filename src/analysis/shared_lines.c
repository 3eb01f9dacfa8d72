/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines and who touches them: see shared_lines.h. */
#include "shared_lines.h"

#include <stdlib.h>
#include <string.h>

#define HASH_FACTOR UINT64_C(0x9e3779b97f4a7c15)
#define FIRST_SLOTS 4096
#define RECENT 4096
#define PAGE_BYTES 4096u

/* Small, as most accesses look here: whose the sharer is stands beside what an access changes of it. */
typedef struct {
    uint64_t key; /* the line's number plus 1 */
    Sharer *sharer;
} Recent;

/* An access to a line, or the part of an access that is in the line. */
typedef struct {
    const struct mt_batch *batch;
    size_t record; /* in it */
    unsigned vcpu;
    uint32_t who, space, instruction;
    uint64_t number, virtual_address;
    uint32_t words;
    SharerUse use;
} Piece;

struct SharedLines {
    unsigned shift;
    SharedLine **slots; /* a hash table, at most half full */
    size_t slot_count, used;
    Recent *recent[SHARED_MAX_VCPUS]; /* or NULL */
    LineCounts pairs;
    unsigned part, part_mask;   /* of the work; 0: all */
    SharedObjectFunc object_of; /* or NULL */
    const void *object_data;
};

SharedLines *shared_lines_new(unsigned shift)
{
    SharedLines *lines = g_new0(SharedLines, 1);

    lines->shift = shift;
    lines->slot_count = FIRST_SLOTS;
    lines->slots = g_new0(SharedLine *, lines->slot_count);
    return lines;
}

void shared_lines_free(SharedLines *lines)
{
    if (!lines)
        return;
    for (size_t i = 0; i < lines->slot_count; i++) {
        Sharer *sharer = lines->slots[i] ? lines->slots[i]->sharers : NULL;

        while (sharer) {
            Sharer *next = sharer->next;

            if (sharer != &lines->slots[i]->first)
                free(sharer);
            sharer = next;
        }
        free(lines->slots[i]);
    }
    for (guint i = 0; i < SHARED_MAX_VCPUS; i++)
        g_free(lines->recent[i]);
    g_free(lines->slots);
    line_counts_clear(&lines->pairs);
    g_free(lines);
}

unsigned shared_lines_shift(const SharedLines *lines)
{
    return lines->shift;
}

void shared_lines_set_objects(SharedLines *lines, SharedObjectFunc object_of, const void *data)
{
    lines->object_of = object_of;
    lines->object_data = data;
}

/* By the highest bits of the product (Fibonacci hashing; Knuth, TAOCP 3, 6.4): only these depend on the space, too. The
 * same addresses in many spaces would be probed one behind the other. */
static size_t find_slot(SharedLine *const *slots, size_t count, uint64_t number, uint32_t space)
{
    size_t at = (size_t)(((number ^ (uint64_t)space << 40) * HASH_FACTOR) >> (64 - __builtin_ctzll(count)));

    while (slots[at] && (slots[at]->number != number || slots[at]->space != space))
        at = (at + 1) & (count - 1);
    return at;
}

static void grow(SharedLines *lines)
{
    size_t count = 2 * lines->slot_count;
    SharedLine **slots = g_new0(SharedLine *, count);

    for (size_t i = 0; i < lines->slot_count; i++)
        if (lines->slots[i])
            slots[find_slot(slots, count, lines->slots[i]->number, lines->slots[i]->space)] = lines->slots[i];
    g_free(lines->slots);
    lines->slots = slots;
    lines->slot_count = count;
}

/* All zeros, at the beginning of a cache line; to be freed by free(). Out of memory, it ends as GLib does. */
static void *new_aligned(size_t bytes)
{
    void *made;

    if (posix_memalign(&made, 64, bytes))
        g_error("out of memory: %zu bytes", bytes);
    return memset(made, 0, bytes);
}

static SharedLine *get_line(SharedLines *lines, const Piece *piece)
{
    uint64_t number = piece->number;
    uint32_t space = piece->space;
    size_t at = find_slot(lines->slots, lines->slot_count, number, space);

    if (lines->slots[at])
        return lines->slots[at];
    if (2 * lines->used >= lines->slot_count) {
        grow(lines);
        at = find_slot(lines->slots, lines->slot_count, number, space);
    }
    lines->used++;
    lines->slots[at] = new_aligned(sizeof(SharedLine));
    lines->slots[at]->number = number;
    lines->slots[at]->space = space;
    lines->slots[at]->virtual_address = piece->virtual_address & ~((UINT64_C(1) << lines->shift) - 1);
    if (lines->object_of)
        lines->slots[at]->object = lines->object_of(lines->object_data, piece->batch, piece->record);
    return lines->slots[at];
}

static Sharer *get_sharer(SharedLine *line, uint32_t who)
{
    Sharer *sharer = line->sharers;

    while (sharer && sharer->who != who)
        sharer = sharer->next;
    if (!sharer) {
        sharer = line->sharers ? new_aligned(sizeof *sharer) : &line->first;
        sharer->who = who;
        sharer->space = line->space;
        sharer->next = line->sharers;
        line->sharers = sharer;
    }
    return sharer;
}

/* Most accesses are to a line that their vCPU has touched recently, for the same sharer. */
static inline Sharer *find_sharer(SharedLines *lines, const Piece *piece)
{
    Recent *recent = &lines->recent[piece->vcpu][piece->number % RECENT];

    if (G_UNLIKELY(recent->key != piece->number + 1 || recent->sharer->who != piece->who ||
                   recent->sharer->space != piece->space)) {
        recent->sharer = get_sharer(get_line(lines, piece), piece->who);
        recent->key = piece->number + 1;
    }
    return recent->sharer;
}

/* Invalidates all other copies of a line. */
static void take_line(SharedLines *lines, SharedLine *line, Sharer *sharer)
{
    for (Sharer *other = line->sharers; other; other = other->next)
        if (other != sharer && other->use[SHARER_LOADS].may) {
            other->use[SHARER_LOADS].may = other->use[SHARER_STORES].may = false;
            line->invalidations++;
            line_counts_get(&lines->pairs, shared_pair(sharer->who, other->who))[0]++;
        }
    sharer->use[SHARER_LOADS].may = sharer->use[SHARER_STORES].may = true;
    line->owner = sharer;
    if (line->writer == sharer)
        return;
    if (line->writer && line->other_writer == sharer)
        line->ping_pongs++;
    line->other_writer = line->writer;
    line->writer = sharer;
}

/* Gives a sharer a copy to read. */
static void share_line(SharedLine *line, Sharer *sharer)
{
    sharer->use[SHARER_LOADS].may = true;
    if (line->owner)
        line->owner->use[SHARER_STORES].may = false;
    line->owner = NULL;
}

static inline void vote(SharedCandidate *candidate, uint32_t instruction)
{
    if (candidate->instruction == instruction) {
        if (candidate->votes < UINT32_MAX)
            candidate->votes++;
    } else if (candidate->votes) {
        candidate->votes--;
    } else {
        *candidate = (SharedCandidate){ instruction, 1 };
    }
}

static inline void count_use(Sharer *sharer, SharerUse use, uint32_t words, uint32_t instruction)
{
    sharer->use[use].accesses++;
    sharer->use[use].words |= words;
    vote(&sharer->use[use].by, instruction);
}

static inline void add_to_line(SharedLines *lines, const Piece *piece)
{
    Sharer *sharer = find_sharer(lines, piece);

    if (G_UNLIKELY(!sharer->use[piece->use].may)) {
        if (piece->use == SHARER_STORES)
            take_line(lines, get_line(lines, piece), sharer);
        else
            share_line(get_line(lines, piece), sharer);
    }
    count_use(sharer, piece->use, piece->words, piece->instruction);
}

/* A bit for each word that has any of the bytes `first` to `last` of a line. */
static uint32_t words_of(unsigned first, unsigned last)
{
    unsigned low = first >> SHARED_WORD_SHIFT, high = last >> SHARED_WORD_SHIFT;

    return (UINT32_MAX >> (31 - high)) & (UINT32_MAX << low);
}

static bool is_in_part(const SharedLines *lines, uint64_t address)
{
    return ((address >> SHARED_MAX_SHIFT) & lines->part_mask) == lines->part;
}

/* Adds record `i` of a batch, which may reach into the next line. */
static __attribute__((noinline)) void add_access(SharedLines *lines, const struct mt_batch *batch, size_t i,
                                                 uint32_t who, uint32_t space, bool physical)
{
    const unsigned line_bytes = 1u << lines->shift;
    uint64_t address = physical ? batch->paddr[i] : batch->address[i];
    unsigned size = mt_size(batch->info[i]);
    Piece piece = { .batch = batch,
                    .record = i,
                    .vcpu = batch->vcpu,
                    .who = who,
                    .space = space,
                    .instruction = batch->instruction ? batch->instruction[i] : 0,
                    .virtual_address = batch->address[i],
                    .use = mt_is_store(batch->info[i]) ? SHARER_STORES : SHARER_LOADS };

    if (physical)
        size = MIN(size, PAGE_BYTES - (unsigned)(address % PAGE_BYTES));
    while (size) {
        unsigned first = (unsigned)(address & (line_bytes - 1)), bytes = MIN(size, line_bytes - first);

        piece.number = address >> lines->shift;
        piece.words = words_of(first, first + bytes - 1);
        if (is_in_part(lines, address))
            add_to_line(lines, &piece);
        address += bytes;
        piece.virtual_address += bytes;
        size -= bytes;
    }
}

/* Most accesses are to one line, which their vCPU has touched recently for the same sharer, and which it holds or owns:
 * these are counted here, with a constant for `physical`. */
static inline __attribute__((always_inline)) void add_records(SharedLines *lines, const struct mt_batch *batch,
                                                              size_t begin, size_t end, uint32_t who, uint32_t space,
                                                              bool physical)
{
    const Recent *recents = lines->recent[batch->vcpu];
    const uint64_t *addresses = physical ? batch->paddr : batch->address;
    const unsigned shift = lines->shift;
    const uint64_t line_mask = (UINT64_C(1) << shift) - 1;

    for (size_t i = begin; i < end; i++) {
        uint64_t address = addresses[i], last = address + mt_size(batch->info[i]) - 1;
        uint32_t of_space = physical || !(address >> 63) ? space : 0;
        const Recent *recent = &recents[(address >> shift) % RECENT];
        SharerUse use = mt_is_store(batch->info[i]) ? SHARER_STORES : SHARER_LOADS;
        Sharer *sharer = recent->sharer;

        if (physical && address & MT_PADDR_IO) /* set in MT_PADDR_UNKNOWN, too */
            continue;
        if (!is_in_part(lines, address) && address >> SHARED_MAX_SHIFT == last >> SHARED_MAX_SHIFT)
            continue;
        if (G_LIKELY(recent->key == (address >> shift) + 1 && address >> shift == last >> shift && sharer->who == who &&
                     sharer->space == of_space && sharer->use[use].may))
            count_use(sharer, use, words_of((unsigned)(address & line_mask), (unsigned)(last & line_mask)),
                      batch->instruction ? batch->instruction[i] : 0);
        else
            add_access(lines, batch, i, who, of_space, physical);
    }
}

void shared_lines_add(SharedLines *lines, const struct mt_batch *batch, size_t begin, size_t end, uint32_t who,
                      uint32_t space, bool physical)
{
    if (!lines->recent[batch->vcpu])
        lines->recent[batch->vcpu] = g_new0(Recent, RECENT);
    if (physical)
        add_records(lines, batch, begin, end, who, space, true);
    else
        add_records(lines, batch, begin, end, who, space, false);
}

void shared_lines_take_part(SharedLines *lines, unsigned part, unsigned parts)
{
    lines->part = part;
    lines->part_mask = parts - 1;
}

void shared_lines_merge(SharedLines *lines, SharedLines *other)
{
    while (2 * (lines->used + other->used) >= lines->slot_count)
        grow(lines);
    for (size_t i = 0; i < other->slot_count; i++)
        if (other->slots[i])
            lines->slots[find_slot(lines->slots, lines->slot_count, other->slots[i]->number, other->slots[i]->space)] =
                g_steal_pointer(&other->slots[i]);
    lines->used += other->used;
    other->used = 0;
    line_counts_merge(&lines->pairs, &other->pairs);
}

size_t shared_lines_count(const SharedLines *lines)
{
    return lines->used;
}

SharedLine *const *shared_lines_slots(const SharedLines *lines, size_t *slots)
{
    *slots = lines->slot_count;
    return lines->slots;
}

const LineCounts *shared_lines_pairs(const SharedLines *lines)
{
    return &lines->pairs;
}

uint32_t shared_line_true_words(const SharedLine *line)
{
    uint32_t touched = 0, twice = 0, written = 0;

    for (const Sharer *sharer = line->sharers; sharer; sharer = sharer->next) {
        uint32_t own = sharer->use[SHARER_LOADS].words | sharer->use[SHARER_STORES].words;

        twice |= touched & own;
        touched |= own;
        written |= sharer->use[SHARER_STORES].words;
    }
    return twice & written;
}

SharedKind shared_line_kind(const SharedLine *line)
{
    uint32_t written = 0;

    if (!line->sharers->next)
        return SHARED_BY_NOBODY;
    for (const Sharer *sharer = line->sharers; sharer; sharer = sharer->next)
        written |= sharer->use[SHARER_STORES].words;
    return !written ? SHARED_FOR_READING : shared_line_true_words(line) ? SHARED_TRULY : SHARED_FALSELY;
}
