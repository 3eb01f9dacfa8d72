/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text for terminals: see printable.h. */
#include "printable.h"

#include <string.h>

#define MOST_BYTES 4096

/* How many bytes the first character has, if it is one that can be printed, or 0. Formatting characters can't: some
 * turn the direction of writing. */
static size_t printable_bytes(const char *text)
{
    gunichar character = g_utf8_get_char_validated(text, -1);

    if (character >= (gunichar)-2 || !g_unichar_isprint(character) || g_unichar_type(character) == G_UNICODE_FORMAT)
        return 0;
    return (size_t)(g_utf8_next_char(text) - text);
}

char *text_make_printable(const char *text)
{
    GString *result = g_string_new(NULL);
    size_t end = strlen(text);

    while (end && g_ascii_isspace(text[end - 1]))
        end--;
    for (size_t i = 0, bytes; i < end; i += MAX(bytes, 1)) {
        if (result->len >= MOST_BYTES) {
            g_string_append(result, "...");
            break;
        }
        bytes = printable_bytes(text + i);
        if (bytes)
            g_string_append_len(result, text + i, (gssize)bytes);
        else
            g_string_append_printf(result, "\\x%02x", (unsigned char)text[i]);
    }
    return g_string_free(result, FALSE);
}

gboolean text_is_printable(const char *text, size_t most)
{
    size_t bytes;

    if (strnlen(text, most + 1) > most)
        return FALSE;
    for (; *text; text += bytes) {
        bytes = printable_bytes(text);
        if (!bytes)
            return FALSE;
    }
    return TRUE;
}
