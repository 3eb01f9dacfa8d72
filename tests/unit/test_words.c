/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words of the protocols, as old scripts print them: anywhere, in any pieces. */
#include <glib.h>
#include <string.h>

#include "../../src/protocol/words.h"

#define BEGIN WORDS_BEGIN_INFO
#define END WORDS_END_INFO
#define READY WORDS_READY
#define STOP WORDS_STOP

static const char *const outside[] = { BEGIN, READY, NULL }, *const inside[] = { END, NULL };
static const char *const after[] = { READY, NULL }, *const traced[] = { STOP, NULL };

/* A listener like the agent's: each word as [N], info between { and }, all else as it is. */
static void on_text(void *data, const char *bytes, size_t length)
{
    g_string_append_len(data, bytes, (gssize)length);
}

static void on_word(Words *words, const char *word)
{
    GString *heard = words->data;

    if (!strcmp(word, BEGIN)) {
        words->expected = inside;
        g_string_append_c(heard, '{');
    } else if (!strcmp(word, END)) {
        words->expected = after;
        g_string_append_c(heard, '}');
    } else if (!strcmp(word, READY)) {
        words->expected = traced;
        g_string_append(heard, "<ready>");
    } else {
        words->expected = NULL;
        g_string_append(heard, "<stop>");
    }
}

static Words *listening;

static void on_word_of_data(void *data, const char *word)
{
    (void)data;
    on_word(listening, word);
}

/* Feeds `said` in pieces that end at `first`, and then every `step` bytes. */
static char *hear(const char *said, size_t first, size_t step)
{
    GString *heard = g_string_new(NULL);
    Words words = { .expected = outside, .text = on_text, .word = on_word_of_data, .data = heard };
    size_t length = strlen(said), at = MIN(first, length);

    listening = &words;
    words_feed(&words, said, at);
    for (; at < length; at += MIN(step, length - at))
        words_feed(&words, said + at, MIN(step, length - at));
    words_flush(&words);
    return g_string_free(heard, FALSE);
}

static const struct {
    const char *name, *said, *heard;
} cases[] = {
    { "lines", BEGIN "\na b\n" END "\n" READY "\nworks\n" STOP "\nbye\n", "{a b\n}<ready>works\n<stop>bye\n" },
    { "carriage returns", BEGIN "\r\na b\r\n" END "\r\n" READY "\r\n" STOP "\r\n", "{a b\r\n}<ready><stop>" },
    { "full stops", READY ".\nx\n" STOP ".\ny", "<ready>x\n<stop>y" },
    { "no line ends", READY STOP, "<ready><stop>" },
    { "info in mid-line", "hi " BEGIN "0x1 4" END " there\n" READY, "hi {0x1 4} there\n<ready>" },
    { "printf and puts", BEGIN "\n0x5555" END "\n" READY "\n", "{0x5555}<ready>" },
    { "words in mid-line", "now: " READY ", please\n... " STOP ", done\n", "now: <ready>, please\n... <stop>, done\n" },
    { "part of a longer word", "xx" READY "yy-" STOP "zz", "xx<ready>yy-<stop>zz" },
    { "twice", READY "\n" READY "\n" STOP "\n" STOP "\n", "<ready>" READY "\n<stop>" STOP "\n" },
    { "info twice", BEGIN "1" END BEGIN "2" END READY, "{1}" BEGIN "2" END "<ready>" },
    { "the wrong order", END STOP "\n" READY BEGIN END "\n" STOP "\n", END STOP "\n<ready>" BEGIN END "\n<stop>" },
    { "ready inside of info", BEGIN READY END READY, "{" READY "}<ready>" },
    { "begins like a word", "Ready to tra" READY "Stop trac" STOP, "Ready to tra<ready>Stop trac<stop>" },
    { "dashes", "--------" BEGIN "--" END "---", "--------{--}---" },
    { "the beginning of a word at the end", READY "\nStop trac", "<ready>Stop trac" },
    { "last thing before the end", "x" READY "x" STOP, "x<ready>x<stop>" },
    { "nothing", "", "" },
};

static void test_case(gconstpointer data)
{
    const char *said = cases[GPOINTER_TO_UINT(data)].said, *expected = cases[GPOINTER_TO_UINT(data)].heard;

    for (size_t first = 0; first <= strlen(said); first++)
        for (size_t step = 1; step <= strlen(said) + 1; step += 1 + step / 2) {
            g_autofree char *heard = hear(said, first, step);

            g_assert_cmpstr(heard, ==, expected);
        }
}

/* Long text passes, whatever it is, at the speed of a search. */
static void test_long_text(void)
{
    g_autofree char *text = g_strnfill(5 << 20, '-');
    g_autofree char *said = g_strconcat(BEGIN, text, END, READY, NULL);
    g_autofree char *expected = g_strconcat("{", text, "}<ready>", NULL);
    g_autofree char *heard = hear(said, 100, 65536);

    g_assert_true(!strcmp(heard, expected));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *name = g_strconcat("/words/", cases[i].name, NULL);

        g_test_add_data_func(name, GUINT_TO_POINTER(i), test_case);
    }
    g_test_add_func("/words/long_text", test_long_text);
    return g_test_run();
}
