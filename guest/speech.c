/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words of a workload that follows the workload protocol (doc/protocols.md). They are found anywhere in what it
 * prints, in order, each once. */
#include "../src/protocol/words.h"
#include "agent.h"

/* The words that may come next in each state. The info may be left out. */
static const char *const before_info[] = { WORDS_BEGIN_INFO, WORDS_READY, NULL };
static const char *const in_info[] = { WORDS_END_INFO, NULL };
static const char *const after_info[] = { WORDS_READY, NULL };
static const char *const when_ready[] = { WORDS_STOP, NULL };

static Words words;
static void (*listener)(enum speech word);

static void on_text(void *data, const char *bytes, size_t length)
{
    (void)data;
    channel_send(words.expected == in_info ? MT_FRAME_INFO : MT_FRAME_STDOUT, bytes, length);
}

static void on_word(void *data, const char *word)
{
    const char *const *stage = words.expected;

    (void)data;
    if (stage == before_info && word == before_info[0]) {
        words.expected = in_info;
    } else if (stage == in_info) {
        words.expected = after_info;
    } else if (stage == when_ready) {
        words.expected = NULL;
        listener(SPEECH_STOP);
    } else {
        words.expected = when_ready;
        listener(SPEECH_READY);
    }
}

void speech_begin(void (*on_speech)(enum speech word))
{
    words = (Words){ .expected = before_info, .text = on_text, .word = on_word };
    listener = on_speech;
}

void speech_feed(const char *bytes, size_t length)
{
    words_feed(&words, bytes, length);
}

void speech_end(void)
{
    words_flush(&words);
}
