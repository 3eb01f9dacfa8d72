/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines and who touches them: see shared_lines.h. */
#include "shared_lines.h"

#include <stdlib.h>
#include <string.h>

#define HASH_FACTOR UINT64_C(0x9e3779b97f4a7c15)
#define FIRST_SLOTS 4096
#define RECENT 2048
#define PAGE_BYTES 4096u
#define SHORT_BYTES (1u << SHARED_SHORT_SHIFT)
#define CHUNK_BYTES 16384u
#define SIZE_CODES 8
#define OWN_AT_ONCE 1024 /* records */
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
} Piece;

struct SharedLines {
    SharedBlock **slots; /* a hash table, at most half full */
    size_t slot_count, used;
    GPtrArray *chunks;                /* what blocks and sharers are in, of CHUNK_BYTES each */
    size_t chunk_used;                /* of the last one */
    Recent *recent[SHARED_MAX_VCPUS]; /* or NULL */
    LineCounts pairs[SHARED_SIZES];
    uint64_t touched[SHARED_SIZES]; /* lines */
    unsigned part, part_mask;       /* of the work; 0: all */
    SharedObjectFunc object_of;     /* or NULL */
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
    lines->chunk_used = CHUNK_BYTES;
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
static size_t find_slot(SharedBlock *const *slots, size_t count, uint64_t number, uint32_t space)
{
    size_t at = (size_t)(((number ^ (uint64_t)space << 40) * HASH_FACTOR) >> (64 - __builtin_ctzll(count)));

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
    if (lines->chunk_used + bytes > CHUNK_BYTES) {
        void *chunk;

        if (posix_memalign(&chunk, 64, CHUNK_BYTES))
            g_error("out of memory: %u bytes", CHUNK_BYTES);
        g_ptr_array_add(lines->chunks, memset(chunk, 0, CHUNK_BYTES));
        lines->chunk_used = 0;
    }
    lines->chunk_used += bytes;
    return (char *)lines->chunks->pdata[lines->chunks->len - 1] + lines->chunk_used - bytes;
}

static SharedBlock *get_block(SharedLines *lines, const Piece *piece)
{
    uint64_t number = piece->address >> SHARED_LONG_SHIFT;
    size_t at = find_slot(lines->slots, lines->slot_count, number, piece->space);
    SharedBlock *block = lines->slots[at];

    if (block)
        return block;
    if (2 * lines->used >= lines->slot_count) {
        grow(lines);
        at = find_slot(lines->slots, lines->slot_count, number, piece->space);
    }
    lines->used++;
    lines->slots[at] = block = allocate(lines, sizeof *block);
    block->number = number;
    block->space = piece->space;
    for (guint i = 0; i < SHARED_LINES; i++)
        block->line[i].which = (uint8_t)i;
    return block;
}

static Sharer *get_sharer(SharedLines *lines, SharedBlock *block, uint32_t who)
{
    Sharer *sharer = block->sharers;

    while (sharer && sharer->who != who)
        sharer = sharer->next;
    if (!sharer) {
        sharer = block->sharers ? allocate(lines, sizeof *sharer) : &block->first;
        sharer->who = who;
        sharer->space = block->space;
        sharer->next = block->sharers;
        block->sharers = sharer;
    }
    return sharer;
}

/* Most accesses are to a block that their vCPU has touched recently, for the same sharer. */
static Sharer *find_sharer(SharedLines *lines, const Piece *piece)
{
    uint64_t number = piece->address >> SHARED_LONG_SHIFT;
    Recent *recent = &lines->recent[piece->batch->vcpu][number % RECENT];

    if (recent->key != number + 1 || recent->sharer->who != piece->who || recent->sharer->space != piece->space) {
        recent->sharer = get_sharer(lines, get_block(lines, piece), piece->who);
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
    return sharer->may[line->which % SHARED_LONG][use] >> shared_line_size(line) & 1;
}

static void set_may(const SharedLine *line, Sharer *sharer, SharerUse use, bool value)
{
    for (guint half = 0; half < SHARED_LONG; half++)
        if (line->which == half || line->which == SHARED_LONG) {
            sharer->may[half][use] &= (uint8_t) ~(1u << shared_line_size(line));
            sharer->may[half][use] |= (uint8_t)(value << shared_line_size(line));
        }
}

/* Invalidates all other copies of a line. */
static void take_line(SharedLines *lines, SharedBlock *block, SharedLine *line, Sharer *sharer)
{
    for (Sharer *other = block->sharers; other; other = other->next)
        if (other != sharer && may(line, other, SHARER_LOADS)) {
            set_may(line, other, SHARER_LOADS, false);
            set_may(line, other, SHARER_STORES, false);
            line->invalidations++;
            line_counts_get(&lines->pairs[shared_line_size(line)], shared_pair(sharer->who, other->who))[0]++;
        }
    set_may(line, sharer, SHARER_LOADS, true);
    set_may(line, sharer, SHARER_STORES, true);
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
    set_may(line, sharer, SHARER_LOADS, true);
    if (line->owner)
        set_may(line, line->owner, SHARER_STORES, false);
    line->owner = NULL;
}

static void begin_line(SharedLines *lines, SharedLine *line, const Piece *piece)
{
    line->is_touched = true;
    line->virtual_address = piece->virtual_address & ~((UINT64_C(1) << shared_shift(shared_line_size(line))) - 1);
    if (lines->object_of)
        line->object = lines->object_of(lines->object_data, piece->batch, piece->record);
    lines->touched[shared_line_size(line)]++;
}

/* Does what an access to a line does to its copies. */
static void use_line(SharedLines *lines, SharedBlock *block, SharedWhich which, const Piece *piece, Sharer *sharer,
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
        share_line(line, sharer);
}

static inline void count_use(SharerCount *count, uint32_t instruction)
{
    count->accesses++;
    if (count->instruction == instruction) {
        if (count->votes < UINT32_MAX)
            count->votes++;
    } else if (count->votes) {
        count->votes--;
    } else {
        count->instruction = instruction;
        count->votes = 1;
    }
}

static bool is_in_part(const SharedLines *lines, uint64_t address)
{
    return ((address >> SHARED_LONG_SHIFT) & lines->part_mask) == lines->part;
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

        if (is_in_part(lines, piece.address)) {
            Sharer *sharer = find_sharer(lines, &piece);

            if (sharer->may[half][use] != ALL_SIZES) {
                SharedBlock *block = get_block(lines, &piece);

                use_line(lines, block, half, &piece, sharer, use);
                use_line(lines, block, SHARED_LONG, &piece, sharer, use);
            }
            sharer->words[half][use] |= words_of(first, first + bytes - 1);
            if (half == SHARED_LOW || is_first) /* else it is counted */
                count_use(&sharer->count[half == SHARED_LOW && size > bytes ? SHARED_LONG : half][use],
                          batch->instruction ? batch->instruction[i] : 0);
        }
        is_first = false;
        piece.address += bytes;
        piece.virtual_address += bytes;
        size -= bytes;
    }
}

/* Most accesses are to one short line, in a block that their vCPU has touched recently for the same sharer, and neither
 * the short line's copies nor the long one's change: these are counted here. The last two are constants where that
 * matters. */
static inline __attribute__((always_inline)) void add_record(SharedLines *lines, const struct mt_batch *batch, size_t i,
                                                             uint32_t who, uint32_t space, bool physical,
                                                             bool instructions)
{
    uint64_t address = physical ? batch->paddr[i] : batch->address[i], number = address >> SHARED_LONG_SHIFT;
    uint32_t of_space = physical || !(address >> 63) ? space : 0;
    const Recent *recent = &lines->recent[batch->vcpu][number % RECENT];
    SharerUse use = mt_is_store(batch->info[i]) ? SHARER_STORES : SHARER_LOADS;
    SharedWhich half = half_of(address);
    uint16_t words = words_at(lines, batch->info[i], address);
    Sharer *sharer = recent->sharer;

    if (physical && address & MT_PADDR_IO) /* set in MT_PADDR_UNKNOWN, too */
        return;
    if (G_LIKELY(recent->key == number + 1 && words && sharer->who == who && sharer->space == of_space &&
                 sharer->may[half][use] == ALL_SIZES)) {
        sharer->words[half][use] |= words;
        count_use(&sharer->count[half][use], instructions ? batch->instruction[i] : 0);
    } else {
        add_access(lines, batch, i, who, of_space, physical);
    }
}

/* Writes the numbers of those records that touch a block of the part's to `own`, and returns how many they are: no
 * branch depends on the addresses, because it couldn't be predicted. Those that reach into a further line count as all
 * parts'. */
static size_t find_own(const SharedLines *lines, const struct mt_batch *batch, size_t begin, size_t end, bool physical,
                       uint32_t *own)
{
    const uint64_t *addresses = physical ? batch->paddr : batch->address;
    size_t count = 0;

    for (size_t i = begin; i < end; i++) {
        own[count] = (uint32_t)i;
        count += is_in_part(lines, addresses[i]) | !words_at(lines, batch->info[i], addresses[i]);
    }
    return count;
}

static inline __attribute__((always_inline)) void add_records(SharedLines *lines, const struct mt_batch *batch,
                                                              size_t begin, size_t end, uint32_t who, uint32_t space,
                                                              bool physical, bool instructions)
{
    uint32_t own[OWN_AT_ONCE];
    size_t stop;

    if (!lines->part_mask) {
        for (size_t i = begin; i < end; i++)
            add_record(lines, batch, i, who, space, physical, instructions);
        return;
    }
    for (; begin < end; begin = stop) {
        size_t count;

        stop = MIN(end, begin + OWN_AT_ONCE);
        count = find_own(lines, batch, begin, stop, physical, own);
        for (size_t i = 0; i < count; i++)
            add_record(lines, batch, own[i], who, space, physical, instructions);
    }
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
    if (other->chunks->len)
        lines->chunk_used = other->chunk_used;
    g_ptr_array_extend_and_steal(lines->chunks, g_steal_pointer(&other->chunks));
    for (guint i = 0; i < SHARED_SIZES; i++) {
        line_counts_merge(&lines->pairs[i], &other->pairs[i]);
        lines->touched[i] += other->touched[i];
        other->touched[i] = 0;
    }
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
