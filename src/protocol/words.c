/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words of the protocols: see words.h. */
#define _GNU_SOURCE
#include "words.h"

#include <string.h>

static void pass_text(Words *words, const char *bytes, size_t length)
{
    if (!length)
        return;
    words->in_mid_line = bytes[length - 1] != '\n';
    words->text(words->data, bytes, length);
}

/* The first of the expected words in `bytes`, or NULL; *at is where it begins. */
static const char *find_first(const char *const *expected, const char *bytes, size_t length, size_t *at)
{
    const char *found = NULL;

    for (; expected && *expected; expected++) {
        const char *here = memmem(bytes, length, *expected, strlen(*expected));

        if (here && (!found || (size_t)(here - bytes) < *at)) {
            found = *expected;
            *at = (size_t)(here - bytes);
        }
    }
    return found;
}

/* How many of the last bytes may be the beginning of an expected word. */
static size_t count_beginning(const char *const *expected, const char *bytes, size_t length)
{
    size_t longest = 0;

    for (; expected && *expected; expected++) {
        size_t most = strlen(*expected) - 1;

        for (size_t n = most < length ? most : length; n > longest; n--)
            if (!memcmp(bytes + length - n, *expected, n))
                longest = n;
    }
    return longest;
}

/* Whether a word is one of the lines around info and output, and not a sentence. */
static bool is_delimiter(const char *word)
{
    return word[0] == '-';
}

/*
 * What follows a word may be part of it: a sentence's full stop (the older spelling), and the line's end, unless there
 * is other text in that line. Returns how many bytes are part of the word.
 */
static size_t skip_tail(Words *words, const char *bytes, size_t length)
{
    size_t i = 0;

    if (i < length && words->full_stop) {
        words->full_stop = false;
        if (bytes[i] == '.')
            i++;
    }
    while (i < length && words->line_end) {
        if (bytes[i] != '\r' && bytes[i] != '\n')
            break;
        words->line_end = bytes[i] != '\n';
        i++;
    }
    if (i < length)
        words->line_end = false;
    return i;
}

static void take_word(Words *words, const char *word)
{
    words->full_stop = !is_delimiter(word);
    words->line_end = is_delimiter(word) || !words->in_mid_line;
    words->in_mid_line = false;
    words->word(words->data, word);
}

static void scan(Words *words, const char *bytes, size_t length)
{
    size_t at = 0, kept, used = skip_tail(words, bytes, length);
    const char *word;

    bytes += used;
    length -= used;
    while ((word = find_first(words->expected, bytes, length, &at))) {
        pass_text(words, bytes, at);
        take_word(words, word);
        used = at + strlen(word);
        used += skip_tail(words, bytes + used, length - used);
        bytes += used;
        length -= used;
    }
    kept = count_beginning(words->expected, bytes, length);
    pass_text(words, bytes, length - kept);
    memcpy(words->held, bytes + length - kept, kept);
    words->held_length = kept;
}

void words_feed(Words *words, const char *bytes, size_t length)
{
    char joined[4 * WORDS_LONGEST];

    /* What was held is looked at together with a few more bytes: either a word begins in it, or it is text. */
    while (words->held_length && length) {
        size_t held = words->held_length, more = length < sizeof joined - held ? length : sizeof joined - held;

        memcpy(joined, words->held, held);
        memcpy(joined + held, bytes, more);
        words->held_length = 0;
        scan(words, joined, held + more);
        bytes += more;
        length -= more;
    }
    if (length)
        scan(words, bytes, length);
}

void words_flush(Words *words)
{
    size_t length = words->held_length;

    words->held_length = 0;
    pass_text(words, words->held, length);
}
