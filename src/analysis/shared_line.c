/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known of one line: see shared_lines.h. */
#include "shared_lines.h"

#define WORDS_OF_HALF (1u << (SHARED_SHORT_SHIFT - SHARED_WORD_SHIFT))

uint32_t shared_line_words(const SharedLine *line, const Sharer *sharer, SharerUse use)
{
    return line->which == SHARED_LONG ? sharer->words[sharer_use(SHARED_LOW, use)] |
                                            (uint32_t)sharer->words[sharer_use(SHARED_HIGH, use)] << WORDS_OF_HALF
                                      : sharer->words[sharer_use(line->which, use)];
}

static uint32_t touched_words(const SharedLine *line, const Sharer *sharer)
{
    return shared_line_words(line, sharer, SHARER_LOADS) | shared_line_words(line, sharer, SHARER_STORES);
}

const Sharer *shared_line_next(const SharedLine *line, const Sharer *sharer)
{
    sharer = sharer ? sharer->next : shared_line_block(line)->sharers;
    while (sharer && !touched_words(line, sharer))
        sharer = sharer->next;
    return sharer;
}

static bool is_shared(const SharedLine *line)
{
    const Sharer *first = shared_line_next(line, NULL);

    return first && shared_line_next(line, first);
}

void majority_vote_add(MajorityVote *vote, MajorityVote next)
{
    if (vote->instruction == next.instruction) {
        vote->votes += MIN(next.votes, UINT32_MAX - vote->votes);
    } else if (vote->votes >= next.votes) {
        vote->votes -= next.votes;
    } else {
        vote->instruction = next.instruction;
        vote->votes = next.votes - vote->votes;
    }
}

static void add_use(SharerCount *sum, const Sharer *sharer, unsigned use)
{
    MajorityVote vote = sharer->earlier[use];

    majority_vote_add(&vote, sharer->count[use].vote);
    majority_vote_add(&sum->vote, vote);
    sum->accesses += sharer->count[use].accesses;
}

SharerCount shared_line_uses(const SharedLine *line, const Sharer *sharer, SharerUse use)
{
    SharerCount sum = { 0 };

    add_use(&sum, sharer, sharer_use(SHARED_LONG, use)); /* to both short lines */
    for (guint half = 0; half < SHARED_LONG; half++)
        if (line->which == half || line->which == SHARED_LONG)
            add_use(&sum, sharer, sharer_use(half, use));
    return sum;
}

uint32_t shared_line_true_words(const SharedLine *line)
{
    uint32_t touched = 0, twice = 0, written = 0;

    for (const Sharer *sharer = shared_line_next(line, NULL); sharer; sharer = shared_line_next(line, sharer)) {
        uint32_t own = touched_words(line, sharer);

        twice |= touched & own;
        touched |= own;
        written |= shared_line_words(line, sharer, SHARER_STORES);
    }
    return twice & written;
}

SharedKind shared_line_kind(const SharedLine *line)
{
    uint32_t written = 0;

    if (!is_shared(line))
        return SHARED_BY_NOBODY;
    for (const Sharer *sharer = shared_line_next(line, NULL); sharer; sharer = shared_line_next(line, sharer))
        written |= shared_line_words(line, sharer, SHARER_STORES);
    return !written ? SHARED_FOR_READING : shared_line_true_words(line) ? SHARED_TRULY : SHARED_FALSELY;
}
