/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which sharers (vCPUs, threads or processes) touch which words of each line, and who would invalidate whose copy if
 * each of them had a cache without end, kept coherent by invalidation (MSI): for lines of 64 and of 128 bytes at once.
 * What they have in common is counted once, by blocks of 128 bytes: a block has two short lines and a long one.
 * Memory: 320 bytes for each block, 128 for each further sharer of a block, and 32 KiB for each vCPU, beside a table of
 * 16 to 32 bytes a block.
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

/* Accesses, and the instruction that made more than half of them, if there is one (majority vote; Boyer and Moore
 * 1981). */
typedef struct SharerCount {
    uint64_t accesses;
    uint32_t instruction, votes;
} SharerCount;

/* What a sharer does with a block. Each access counts at one line, so that counts can be added up: at the short one
 * that it is to, or at the long one if it is to both short ones. */
typedef struct Sharer {
    SharerCount count[SHARED_LINES][SHARER_USES];
    uint16_t words[SHARED_LONG][SHARER_USES]; /* of each short line: a bit for each word, from the lowest one on */
    /* Of each short line, whether nobody else need know of such an access: loads: it holds a copy; stores: it owns the
     * line. A bit for each SharedSize: the short line, and the long one (which has the same bit in both short ones). */
    uint8_t may[SHARED_LONG][SHARER_USES];
    uint32_t who;   /* its number */
    uint32_t space; /* the block's */
    struct Sharer *next;
} __attribute__((aligned(64))) Sharer;

typedef struct SharedLine {
    Sharer *owner;                       /* the only one that has a copy, and has stored to it; or NULL */
    const Sharer *writer, *other_writer; /* the last one, and the last one before that was another */
    uint64_t invalidations, ping_pongs;
    uint64_t virtual_address; /* of the line's beginning, in the first access */
    uint32_t object;          /* what the first access went to: see shared_lines_set_objects() */
    uint8_t which;            /* SharedWhich */
    bool is_touched;
} SharedLine;

typedef struct SharedBlock {
    Sharer first;    /* the last one in `sharers`: most blocks have no other */
    uint64_t number; /* its address >> SHARED_LONG_SHIFT */
    uint32_t space;  /* the address space of that address */
    Sharer *sharers;
    SharedLine line[SHARED_LINES];
} SharedBlock;

typedef struct SharedLines SharedLines;

SharedLines *shared_lines_new(void);
void shared_lines_free(SharedLines *lines);
/* Returns a number for what a batch's record `i` accesses. Called for each line's first access. */
typedef uint32_t (*SharedObjectFunc)(const void *data, const struct mt_batch *batch, size_t i);
void shared_lines_set_objects(SharedLines *lines, SharedObjectFunc object_of, const void *data);
/* Adds the records `begin` to `end` - 1 of a batch, which are one sharer's; the batch's vCPU is below SHARED_MAX_VCPUS.
 * Addresses of the lower half belong to address space `space`, those of the upper half to space 0. With `physical`,
 * physical addresses are used instead: records of devices and of unknown addresses are left out, and an access counts
 * up to the end of the page in which it begins. The batch may lack instructions. */
void shared_lines_add(SharedLines *lines, const struct mt_batch *batch, size_t begin, size_t end, uint32_t who,
                      uint32_t space, bool physical);
/* From now on, only the blocks of this part of `parts` (a power of two) are handled. */
void shared_lines_take_part(SharedLines *lines, unsigned part, unsigned parts);
/* Takes over the lines of another part, which is good for nothing then but to be freed. */
void shared_lines_merge(SharedLines *lines, SharedLines *other);

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
