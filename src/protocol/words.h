/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of the protocols with workloads and analysis tools, found in a stream of bytes.
 *
 * They may stand anywhere, as the older tool's `expect` found them: alone in a line, in mid-line, after CR LF, in two
 * writes, without a line end. They are consumed in order: `expected` says which words may come next, and the first
 * occurrence of any of them is taken; all other bytes are text, and are handed over in order.
 *
 * The agent uses this, too, so it needs nothing but the C library.
 */
#ifndef MEMORY_TRACER_PROTOCOL_WORDS_H
#define MEMORY_TRACER_PROTOCOL_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/* What a workload says. */
#define WORDS_BEGIN_INFO "-----begin workload info-----"
#define WORDS_END_INFO "-----end workload info-----"
#define WORDS_READY "Ready to trace. Press enter to continue"
#define WORDS_STOP "Stop tracing"
/* What an analysis tool says. */
#define WORDS_READY_TO_ANALYZE "Ready to analyze"
#define WORDS_BEGIN_OUTPUT "-----begin analysis output-----"
#define WORDS_END_OUTPUT "-----end analysis output-----"

#define WORDS_LONGEST 64

typedef struct Words {
    /* The words that may come next, ended by NULL. The callback `word` may change it. NULL: everything is text. */
    const char *const *expected;
    /* Called with text that isn't one of the words, in pieces. */
    void (*text)(void *data, const char *bytes, size_t length);
    /* Called when one of the expected words was found. */
    void (*word)(void *data, const char *word);
    void *data;

    /* Private. Zero at first. */
    char held[WORDS_LONGEST]; /* the beginning of a word, perhaps */
    size_t held_length;
    bool in_mid_line;         /* there is text before this place in its line */
    bool full_stop, line_end; /* after a word: these still belong to it */
} Words;

/* Takes the next bytes of the stream. */
void words_feed(Words *words, const char *bytes, size_t length);
/* The stream has ended: what was held as the possible beginning of a word is text. */
void words_flush(Words *words);

#endif
