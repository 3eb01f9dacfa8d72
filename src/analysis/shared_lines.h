/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which sharers (vCPUs, threads or processes) touch which words of each line, and who would invalidate whose copy if
 * each of them had a cache without end, kept coherent by invalidation (MSI): for lines of 64 and of 128 bytes at once.
 * What they have in common is counted once, by blocks of 128 bytes: a block has two short lines and a long one.
 * Memory: 384 bytes for each block, 192 for each further sharer of a block, and 32 KiB for each vCPU, beside a table of
 * 16 to 32 bytes a block.
 *
 * What is known of a stretch of a trace alone can be put behind what is known of all that comes before it, and the
 * result is what it would be if the stretch had been added there: until a line's first store in the stretch, all that
 * matters is who loads it, and behind that store, nothing that was before.
 */
#ifndef MEMORY_TRACER_ANALYSIS_SHARED_LINES_H
#define MEMORY_TRACER_ANALYSIS_SHARED_LINES_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../include/memory_tracer/trace.h"
#include "line_counts.h"

#define SHARED_WORD_SHIFT 2 /* a line has at most 32 words of 4 bytes */
#define SHARED_MAX_VCPUS 256
#define SHARED_SHORT_SHIFT 6
#define SHARED_LONG_SHIFT 7

typedef enum { SHARER_LOADS, SHARER_STORES, SHARER_USES } SharerUse;

/* The lines of a block. */
typedef enum { SHARED_LOW, SHARED_HIGH, SHARED_LONG, SHARED_LINES } SharedWhich;

/* The sizes of lines. */
typedef enum { SHARED_64, SHARED_128, SHARED_SIZES } SharedSize;
static inline unsigned shared_shift(SharedSize size)
{
    return SHARED_SHORT_SHIFT + size;
}

/* The instruction that made more than half of some accesses, if there is one (majority vote; Boyer and Moore 1981).
 * What it comes to depends on the order of the accesses. So each stretch has a vote of its own, and these are added up
 * in order. */
typedef struct MajorityVote {
    uint32_t instruction, votes; /* no votes: none */
} MajorityVote;

/* Adds up votes. In each, the accesses that aren't votes are pairs of different instructions; so are the votes that are
 * taken away here. An instruction that made more than half of all accesses made at most half of these: some votes for
 * it remain. */
void majority_vote_add(MajorityVote *vote, MajorityVote next);

typedef struct SharerCount {
    uint64_t accesses;
    MajorityVote vote; /* in a Sharer: of the accesses of the latest stretch */
} SharerCount;

/* The index of a use of one of a block's lines. */
#define SHARER_SHORT_USES (SHARED_LONG * SHARER_USES) /* the first ones: of the short lines */
#define SHARER_ALL_USES (SHARED_LINES * SHARER_USES)
static inline unsigned sharer_use(SharedWhich which, SharerUse use)
{
    return which * SHARER_USES + use;
}

/* What a sharer does with a block, by sharer_use(). Most accesses change nothing but a count and words. */
typedef struct Sharer {
    /* Each access counts at one line, so that counts can be added up: at the short one that it is to, or at the long
     * one if it is to both short ones. */
    SharerCount count[SHARER_ALL_USES];
    uint16_t words[SHARER_SHORT_USES]; /* a bit for each word, from the lowest one on */
    /* Whether nobody else need know of such an access: loads: it holds a copy; stores: it owns the line. A bit for each
     * SharedSize: the short line, and the long one (which has the same bit in both short ones). */
    uint8_t may[SHARER_SHORT_USES];
    uint32_t stretch; /* the latest one in which it touched the block */
    uint64_t key;     /* of its number and the block's address space: shared_key() */
    struct Sharer *next;
    MajorityVote earlier[SHARER_ALL_USES]; /* of all stretches before */
    uint8_t loaded_first; /* a bit for each SharedWhich: it had a copy when the first store of another one came */
} __attribute__((aligned(64))) Sharer;

static inline uint64_t shared_key(uint32_t who, uint32_t space)
{
    return (uint64_t)space << 32 | who;
}
/* A sharer's number. */
static inline uint32_t sharer_number(const Sharer *sharer)
{
    return (uint32_t)sharer->key;
}

typedef struct SharedLine {
    /* Sharers' numbers plus 1; 0: none. */
    uint32_t writer, other_writer;        /* the last one, and the last one before that was another */
    uint32_t first_writer, second_writer; /* the first one, and the first one behind that was another */
    uint64_t invalidations, ping_pongs;
    uint64_t virtual_address; /* of the line's beginning, in the first access */
    uint32_t object;          /* what the first access went to: see shared_lines_set_objects() */
    uint8_t which;            /* SharedWhich */
    bool is_touched;
    bool is_owned; /* the last writer is the only one that has a copy, and has stored to it */
} SharedLine;

typedef struct SharedBlock {
    Sharer first;    /* the last one in `sharers`: most blocks have no other */
    uint64_t number; /* its address >> SHARED_LONG_SHIFT */
    uint32_t space;  /* the address space of that address */
    Sharer *sharers;
    struct SharedBlock *older; /* the one that was made before */
    SharedLine line[SHARED_LINES];
} SharedBlock;

typedef struct SharedLines SharedLines;

SharedLines *shared_lines_new(void);
void shared_lines_free(SharedLines *lines);
/* Returns a number for what a batch's record `i` accesses. Called for each line's first access. */
typedef uint32_t (*SharedObjectFunc)(const void *data, const struct mt_batch *batch, size_t i);
void shared_lines_set_objects(SharedLines *lines, SharedObjectFunc object_of, const void *data);
/* From here on, accesses belong to this stretch of the trace: the numbers rise. */
void shared_lines_begin_stretch(SharedLines *lines, uint32_t stretch);
/* Adds the records `begin` to `end` - 1 of a batch, which are one sharer's; the batch's vCPU is below SHARED_MAX_VCPUS.
 * Addresses of the lower half belong to address space `space`, those of the upper half to space 0. With `physical`,
 * physical addresses are used instead: records of devices and of unknown addresses are left out, and an access counts
 * up to the end of the page in which it begins. The batch may lack instructions. */
void shared_lines_add(SharedLines *lines, const struct mt_batch *batch, size_t begin, size_t end, uint32_t who,
                      uint32_t space, bool physical);
/* Adds what another one has counted of one stretch, of which no record was added here, but all before it were. */
void shared_lines_merge(SharedLines *lines, const SharedLines *next);

/* How many copies of sharer `of` were invalidated by sharer `by`: counts[0] of the line shared_pair(by, of). */
const LineCounts *shared_lines_pairs(const SharedLines *lines, SharedSize size);
static inline uint64_t shared_pair(uint32_t by, uint32_t of)
{
    return (uint64_t)by << 32 | of;
}

/* How many lines of a size were touched. */
uint64_t shared_lines_count(const SharedLines *lines, SharedSize size);
/* The lines (SharedLine) of a size that several sharers touch, in no order. The caller unreferences the array. */
GPtrArray *shared_lines_list(const SharedLines *lines, SharedSize size);

static inline SharedSize shared_line_size(const SharedLine *line)
{
    return line->which == SHARED_LONG ? SHARED_128 : SHARED_64;
}
static inline const SharedBlock *shared_line_block(const SharedLine *line)
{
    return (const SharedBlock *)((const char *)(line - line->which) - offsetof(SharedBlock, line));
}
static inline uint64_t shared_line_address(const SharedLine *line)
{
    return (shared_line_block(line)->number << SHARED_LONG_SHIFT) +
           ((uint64_t)(line->which == SHARED_HIGH) << SHARED_SHORT_SHIFT);
}
/* The sharer that touches a line behind `sharer`, or the first one that does (NULL); NULL if there is no other. */
const Sharer *shared_line_next(const SharedLine *line, const Sharer *sharer);
/* A sharer's accesses to a line. */
SharerCount shared_line_uses(const SharedLine *line, const Sharer *sharer, SharerUse use);
/* A bit for each word of a line that a sharer uses so, from the lowest one on. */
uint32_t shared_line_words(const SharedLine *line, const Sharer *sharer, SharerUse use);

typedef enum { SHARED_BY_NOBODY, SHARED_FOR_READING, SHARED_TRULY, SHARED_FALSELY } SharedKind;

/* How a line is shared. Truly: several sharers touch one word, and one of them writes it. Falsely: that holds for no
 * word, but one of the sharers writes the line. */
SharedKind shared_line_kind(const SharedLine *line);
/* A bit for each word that is truly shared. */
uint32_t shared_line_true_words(const SharedLine *line);

#endif
