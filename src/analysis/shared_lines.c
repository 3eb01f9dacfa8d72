/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines and who touches them: see shared_lines.h. */
#include "shared_lines.h"

#include <stdlib.h>
#include <string.h>

#define HASH_FACTOR UINT64_C(0x9e3779b97f4a7c15)
#define FIRST_SLOTS 4096
#define RECENT 4096
#define PAGE_BYTES 4096u
#define LONG_SHIFT 7
#define WORDS_OF_HALF 16

/* Small, as most accesses look here: whose the sharer is stands beside what an access changes of it. */
typedef struct {
    uint64_t key; /* a short line's number plus 1 */
    Sharer *sharer;
} Recent;

/* An access to a short line, or the part of an access that is in the line. */
typedef struct {
    const struct mt_batch *batch;
    size_t record; /* in it */
    unsigned vcpu;
    uint32_t who, space, instruction;
    uint64_t address, virtual_address;
    uint32_t words;
    SharerUse use;
} Piece;

/* The lines of one size. */
typedef struct {
    unsigned shift;
    SharedLine **slots; /* a hash table, at most half full */
    size_t slot_count, used;
    LineCounts pairs;
} LineTable;

struct SharedLines {
    LineTable table[SHARED_SIZES];
    Recent *recent[SHARED_MAX_VCPUS]; /* or NULL */
    unsigned part, part_mask;         /* of the work; 0: all */
    SharedObjectFunc object_of;       /* or NULL */
    const void *object_data;
};

SharedLines *shared_lines_new(void)
{
    SharedLines *lines = g_new0(SharedLines, 1);

    for (guint i = 0; i < SHARED_SIZES; i++)
        lines->table[i] = (LineTable){ .shift = shared_shift(i),
                                       .slots = g_new0(SharedLine *, FIRST_SLOTS),
                                       .slot_count = FIRST_SLOTS };
    return lines;
}

static void clear_table(LineTable *table)
{
    for (size_t i = 0; i < table->slot_count; i++) {
        Sharer *sharer = table->slots[i] ? table->slots[i]->sharers : NULL;

        while (sharer) {
            Sharer *next = sharer->next;

            if (sharer != &table->slots[i]->first)
                free(sharer);
            sharer = next;
        }
        free(table->slots[i]);
    }
    g_free(table->slots);
    line_counts_clear(&table->pairs);
}

void shared_lines_free(SharedLines *lines)
{
    if (!lines)
        return;
    for (guint i = 0; i < SHARED_SIZES; i++)
        clear_table(&lines->table[i]);
    for (guint i = 0; i < SHARED_MAX_VCPUS; i++)
        g_free(lines->recent[i]);
    g_free(lines);
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

static void grow(LineTable *table)
{
    size_t count = 2 * table->slot_count;
    SharedLine **slots = g_new0(SharedLine *, count);

    for (size_t i = 0; i < table->slot_count; i++)
        if (table->slots[i])
            slots[find_slot(slots, count, table->slots[i]->number, table->slots[i]->space)] = table->slots[i];
    g_free(table->slots);
    table->slots = slots;
    table->slot_count = count;
}

/* All zeros, at the beginning of a cache line; to be freed by free(). Out of memory, it ends as GLib does. */
static void *new_aligned(size_t bytes)
{
    void *made;

    if (posix_memalign(&made, 64, bytes))
        g_error("out of memory: %zu bytes", bytes);
    return memset(made, 0, bytes);
}

/* Adds a line that isn't there yet. */
static SharedLine *add_line(const SharedLines *lines, LineTable *table, const Piece *piece)
{
    SharedLine *line = new_aligned(sizeof *line);

    if (2 * table->used >= table->slot_count)
        grow(table);
    table->used++;
    line->number = piece->address >> table->shift;
    line->space = piece->space;
    line->virtual_address = piece->virtual_address & ~((UINT64_C(1) << table->shift) - 1);
    if (lines->object_of)
        line->object = lines->object_of(lines->object_data, piece->batch, piece->record);
    table->slots[find_slot(table->slots, table->slot_count, line->number, line->space)] = line;
    return line;
}

static SharedLine *find_line(const LineTable *table, const Piece *piece)
{
    return table->slots[find_slot(table->slots, table->slot_count, piece->address >> table->shift, piece->space)];
}

/* The short line. */
static SharedLine *get_line(SharedLines *lines, const Piece *piece)
{
    LineTable *short_ones = &lines->table[SHARED_SHORT], *long_ones = &lines->table[SHARED_LONG];
    SharedLine *line = find_line(short_ones, piece);

    if (line)
        return line;
    line = add_line(lines, short_ones, piece);
    line->around = find_line(long_ones, piece);
    if (!line->around)
        line->around = add_line(lines, long_ones, piece);
    line->around->halves[line->number & 1] = line;
    return line;
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
    uint64_t number = piece->address >> shared_shift(SHARED_SHORT);
    Recent *recent = &lines->recent[piece->vcpu][number % RECENT];

    if (G_UNLIKELY(recent->key != number + 1 || recent->sharer->who != piece->who ||
                   recent->sharer->space != piece->space)) {
        recent->sharer = get_sharer(get_line(lines, piece), piece->who);
        recent->key = number + 1;
    }
    return recent->sharer;
}

static void be_loud(SharedLine *line, uint32_t who, bool loads_too)
{
    Sharer *sharer = line ? line->sharers : NULL;

    while (sharer && sharer->who != who)
        sharer = sharer->next;
    if (!sharer)
        return;
    sharer->use[SHARER_STORES].is_quiet = false;
    if (loads_too)
        sharer->use[SHARER_LOADS].is_quiet = false;
}

/* A sharer may no longer store, or use a line at all: its next access is one that others know of. */
static void take_away(SharedLine *line, Sharer *sharer, bool loads_too)
{
    sharer->use[SHARER_STORES].may = false;
    if (loads_too)
        sharer->use[SHARER_LOADS].may = false;
    if (line->around) {
        be_loud(line, sharer->who, loads_too);
    } else {
        be_loud(line->halves[0], sharer->who, loads_too);
        be_loud(line->halves[1], sharer->who, loads_too);
    }
}

/* Invalidates all other copies of a line. */
static void take_line(LineTable *table, SharedLine *line, Sharer *sharer)
{
    for (Sharer *other = line->sharers; other; other = other->next)
        if (other != sharer && other->use[SHARER_LOADS].may) {
            take_away(line, other, true);
            line->invalidations++;
            line_counts_get(&table->pairs, shared_pair(sharer->who, other->who))[0]++;
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
        take_away(line, line->owner, false);
    line->owner = NULL;
}

/* Does what an access does to the copies of a line. */
static void use_line(LineTable *table, SharedLine *line, Sharer *sharer, SharerUse use)
{
    if (sharer->use[use].may)
        return;
    if (use == SHARER_STORES)
        take_line(table, line, sharer);
    else
        share_line(line, sharer);
}

/* The same for a short line and the long one that it is in. Returns the long line's sharer. */
static Sharer *use_lines(SharedLines *lines, const Piece *piece, Sharer *sharer)
{
    SharedLine *line = get_line(lines, piece);
    Sharer *around = get_sharer(line->around, piece->who);

    use_line(&lines->table[SHARED_SHORT], line, sharer, piece->use);
    use_line(&lines->table[SHARED_LONG], line->around, around, piece->use);
    for (SharerUse use = 0; use < SHARER_USES; use++)
        sharer->use[use].is_quiet = sharer->use[use].may && around->use[use].may;
    return around;
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

/* A bit for each word that has any of the bytes `first` to `last` of a line. */
static uint32_t words_of(unsigned first, unsigned last)
{
    unsigned low = first >> SHARED_WORD_SHIFT, high = last >> SHARED_WORD_SHIFT;

    return (UINT32_MAX >> (31 - high)) & (UINT32_MAX << low);
}

static bool is_in_part(const SharedLines *lines, uint64_t address)
{
    return ((address >> LONG_SHIFT) & lines->part_mask) == lines->part;
}

/* Adds record `i` of a batch, which may reach into the next line. */
static __attribute__((noinline)) void add_access(SharedLines *lines, const struct mt_batch *batch, size_t i,
                                                 uint32_t who, uint32_t space, bool physical)
{
    const unsigned line_bytes = 1u << shared_shift(SHARED_SHORT);
    unsigned size = mt_size(batch->info[i]);
    Piece piece = { .batch = batch,
                    .record = i,
                    .vcpu = batch->vcpu,
                    .who = who,
                    .space = space,
                    .instruction = batch->instruction ? batch->instruction[i] : 0,
                    .address = physical ? batch->paddr[i] : batch->address[i],
                    .virtual_address = batch->address[i],
                    .use = mt_is_store(batch->info[i]) ? SHARER_STORES : SHARER_LOADS };
    bool is_first = true;

    if (physical)
        size = MIN(size, PAGE_BYTES - (unsigned)(piece.address % PAGE_BYTES));
    while (size) {
        unsigned first = (unsigned)(piece.address & (line_bytes - 1)), bytes = MIN(size, line_bytes - first);

        if (is_in_part(lines, piece.address)) {
            Sharer *sharer = find_sharer(lines, &piece);
            bool is_second_half = !is_first && (piece.address >> shared_shift(SHARED_SHORT)) & 1;

            if (!sharer->use[piece.use].is_quiet || is_second_half)
                /* In both halves, it is one access to the long line: see shared_lines_finish(). */
                use_lines(lines, &piece, sharer)->use[piece.use].accesses -= is_second_half;
            count_use(sharer, piece.use, words_of(first, first + bytes - 1), piece.instruction);
        }
        is_first = false;
        piece.address += bytes;
        piece.virtual_address += bytes;
        size -= bytes;
    }
}

/* Most accesses are to one short line, which their vCPU has touched recently for the same sharer, and which it holds or
 * owns: these are counted here, with a constant for `physical`. */
static inline __attribute__((always_inline)) void add_records(SharedLines *lines, const struct mt_batch *batch,
                                                              size_t begin, size_t end, uint32_t who, uint32_t space,
                                                              bool physical)
{
    const Recent *recents = lines->recent[batch->vcpu];
    const uint64_t *addresses = physical ? batch->paddr : batch->address;
    const unsigned shift = shared_shift(SHARED_SHORT);
    const uint64_t line_mask = (UINT64_C(1) << shift) - 1;

    for (size_t i = begin; i < end; i++) {
        uint64_t address = addresses[i], last = address + mt_size(batch->info[i]) - 1;
        uint32_t of_space = physical || !(address >> 63) ? space : 0;
        const Recent *recent = &recents[(address >> shift) % RECENT];
        SharerUse use = mt_is_store(batch->info[i]) ? SHARER_STORES : SHARER_LOADS;
        Sharer *sharer = recent->sharer;

        if (physical && address & MT_PADDR_IO) /* set in MT_PADDR_UNKNOWN, too */
            continue;
        if (!is_in_part(lines, address) && address >> LONG_SHIFT == last >> LONG_SHIFT)
            continue;
        if (G_LIKELY(recent->key == (address >> shift) + 1 && address >> shift == last >> shift && sharer->who == who &&
                     sharer->space == of_space && sharer->use[use].is_quiet))
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

static void merge_table(LineTable *table, LineTable *other)
{
    while (2 * (table->used + other->used) >= table->slot_count)
        grow(table);
    for (size_t i = 0; i < other->slot_count; i++)
        if (other->slots[i])
            table->slots[find_slot(table->slots, table->slot_count, other->slots[i]->number, other->slots[i]->space)] =
                g_steal_pointer(&other->slots[i]);
    table->used += other->used;
    other->used = 0;
    line_counts_merge(&table->pairs, &other->pairs);
}

void shared_lines_merge(SharedLines *lines, SharedLines *other)
{
    for (guint i = 0; i < SHARED_SIZES; i++)
        merge_table(&lines->table[i], &other->table[i]);
}

/* Adds the votes for another candidate, of other accesses: the instruction that does more than half of all, if there is
 * one, is the candidate then, as it has lost fewer votes than it got. */
static void add_votes(SharedCandidate *candidate, const SharedCandidate *other)
{
    if (candidate->instruction == other->instruction)
        candidate->votes = MIN(UINT32_MAX - candidate->votes, other->votes) + candidate->votes;
    else if (candidate->votes >= other->votes)
        candidate->votes -= other->votes;
    else
        *candidate = (SharedCandidate){ other->instruction, other->votes - candidate->votes };
}

static void add_half(SharedLine *line, const SharedLine *half)
{
    for (const Sharer *part = half->sharers; part; part = part->next) {
        Sharer *sharer = get_sharer(line, part->who);

        for (SharerUse use = 0; use < SHARER_USES; use++) {
            sharer->use[use].accesses += part->use[use].accesses;
            sharer->use[use].words |= part->use[use].words << (half->number & 1 ? WORDS_OF_HALF : 0);
            add_votes(&sharer->use[use].by, &part->use[use].by);
        }
    }
}

void shared_lines_finish(SharedLines *lines)
{
    const LineTable *table = &lines->table[SHARED_LONG];

    for (size_t i = 0; i < table->slot_count; i++)
        for (unsigned half = 0; table->slots[i] && half < 2; half++)
            if (table->slots[i]->halves[half])
                add_half(table->slots[i], g_steal_pointer(&table->slots[i]->halves[half])); /* not twice */
}

size_t shared_lines_count(const SharedLines *lines, SharedSize size)
{
    return lines->table[size].used;
}

SharedLine *const *shared_lines_slots(const SharedLines *lines, SharedSize size, size_t *slots)
{
    *slots = lines->table[size].slot_count;
    return lines->table[size].slots;
}

const LineCounts *shared_lines_pairs(const SharedLines *lines, SharedSize size)
{
    return &lines->table[size].pairs;
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
