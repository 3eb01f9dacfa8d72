/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The end of what a workload has printed: see last_words.h. */
#include "last_words.h"

#include <string.h>

#include "../base/printable.h"

#define KEPT_BYTES 4096

void last_words_add(GString *words, const char *bytes, gsize length)
{
    gsize fresh = MIN(length, KEPT_BYTES), old = MIN(words->len, KEPT_BYTES - fresh);

    g_string_erase(words, 0, (gssize)(words->len - old));
    g_string_append_len(words, bytes + length - fresh, (gssize)fresh);
    for (gsize i = old; i < words->len; i++)
        if (!words->str[i])
            words->str[i] = ' ';
}

/* What follows the last `mark`, up to the end of its line, to be freed; or NULL. */
static char *after_mark(const char *words, const char *mark)
{
    const char *found = g_strrstr(words, mark);

    found = found ? found + strlen(mark) : NULL;
    return found ? g_strndup(found, strcspn(found, "\r\n")) : NULL;
}

bool last_words_name_library(const char *words, char **library, char **reason)
{
    g_autofree char *line = after_mark(words, "error while loading shared libraries: "); /* glibc */
    char *colon;

    if (!line)
        line = after_mark(words, "Error loading shared library "); /* musl */
    colon = line ? strstr(line, ": ") : NULL;
    if (!colon || colon == line)
        return false;
    *colon = 0;
    *library = text_make_printable(line);
    *reason = text_make_printable(colon + 2);
    return true;
}
