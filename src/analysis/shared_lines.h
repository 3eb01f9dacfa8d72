/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which sharers (vCPUs, threads or processes) touch which words of each line, and who would invalidate whose copy if
 * each of them had a cache without end, kept coherent by invalidation (MSI): for lines of 64 and of 128 bytes at once.
 * Memory: 192 bytes for each line of either size, 64 for each further sharer of a line, and 64 KiB for each vCPU,
 * beside tables of 16 to 32 bytes a line.
 */
#ifndef MEMORY_TRACER_ANALYSIS_SHARED_LINES_H
#define MEMORY_TRACER_ANALYSIS_SHARED_LINES_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "../../include/memory_tracer/trace.h"
#include "line_counts.h"

#define SHARED_WORD_SHIFT 2 /* a line has at most 32 words of 4 bytes */
#define SHARED_MAX_VCPUS 256

/* The instruction that does more than half of something, if there is one (majority vote; Boyer and Moore 1981). */
typedef struct SharedCandidate {
    uint32_t instruction, votes;
} SharedCandidate;

typedef enum { SHARER_LOADS, SHARER_STORES, SHARER_USES } SharerUse;

/* The sizes of lines: 64 and 128 bytes. */
typedef enum { SHARED_SHORT, SHARED_LONG, SHARED_SIZES } SharedSize;
static inline unsigned shared_shift(SharedSize size)
{
    return 6 + size;
}

/* What a sharer does with a line. It has a cache line of its own: an access mostly needs nothing else. */
typedef struct Sharer {
    struct {
        uint64_t accesses;
        SharedCandidate by;
        uint32_t words; /* a bit for each word, from the lowest one on */
        bool may;       /* nobody else need know of such an access: loads: it holds a copy; stores: it owns the line */
        bool is_quiet;  /* of a short line: that holds for the long line that it is in, too */
    } use[SHARER_USES];
    struct Sharer *next;
    uint32_t who;   /* its number */
    uint32_t space; /* the line's */
} __attribute__((aligned(64))) Sharer;

typedef struct SharedLine {
    Sharer first;             /* the last one in `sharers`: most lines have no other */
    uint64_t number;          /* its address >> shift */
    uint64_t virtual_address; /* of the line's beginning, in the first access */
    uint32_t space;           /* the address space of that address */
    uint32_t object;          /* what the first access went to: see shared_lines_set_objects() */
    Sharer *sharers;
    Sharer *owner;                       /* the only one that has a copy, and has stored to it; or NULL */
    const Sharer *writer, *other_writer; /* the last one, and the last one before that was another */
    uint64_t invalidations, ping_pongs;
    struct SharedLine *around;    /* of a short line: the long one that it is in */
    struct SharedLine *halves[2]; /* of a long line: the short ones, or NULL */
} SharedLine;

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
/* From now on, only the long lines of this part of `parts` (a power of two) are handled, and the short ones in them. */
void shared_lines_take_part(SharedLines *lines, unsigned part, unsigned parts);
/* Takes over the lines of another part. */
void shared_lines_merge(SharedLines *lines, SharedLines *other);

/* To be called when all has been added, and before the lines are looked at: of the long lines, what was counted for
 * their halves isn't known before. */
void shared_lines_finish(SharedLines *lines);
size_t shared_lines_count(const SharedLines *lines, SharedSize size);
/* All lines of a size, in no order: an array of pointers, some of which are NULL. It belongs to `lines`. */
SharedLine *const *shared_lines_slots(const SharedLines *lines, SharedSize size, size_t *slots);
/* How many copies of sharer `of` were invalidated by sharer `by`: counts[0] of the line shared_pair(by, of). */
const LineCounts *shared_lines_pairs(const SharedLines *lines, SharedSize size);
static inline uint64_t shared_pair(uint32_t by, uint32_t of)
{
    return (uint64_t)by << 32 | of;
}

typedef enum { SHARED_BY_NOBODY, SHARED_FOR_READING, SHARED_TRULY, SHARED_FALSELY } SharedKind;

/* How a line is shared. Truly: several sharers touch one word, and one of them writes it. Falsely: that holds for no
 * word, but one of the sharers writes the line. */
SharedKind shared_line_kind(const SharedLine *line);
/* A bit for each word that is truly shared. */
uint32_t shared_line_true_words(const SharedLine *line);

#endif
