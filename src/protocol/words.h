/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of the protocols with workloads and analysis tools, found in a stream of bytes.
 *
 * They stand anywhere, as the older tool's `expect` found them: alone in a line, in mid-line, behind CR LF, in two
 * writes, without a line's end. They are consumed in order: whoever listens says which words may come next, and takes
 * the first occurrence of any of them; all other bytes are text, in their order.
 *
 * The agent uses this, too, so there is nothing in here but the C library.
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
    /* What may come next, ended by NULL. Changed by `word`; NULL: nothing any more, all is text. */
    const char *const *expected;
    /* Text that is no word, in pieces. */
    void (*text)(void *data, const char *bytes, size_t length);
    /* One of the expected words was found. */
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
