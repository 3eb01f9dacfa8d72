/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes as people write them: see sizes.h. */
#include "sizes.h"

#include <string.h>

static const char units[] = "KMGT";

bool sizes_parse(const char *text, uint64_t *bytes)
{
    char *end;
    const char *unit;
    unsigned shift = 0;

    if (!g_ascii_isdigit(*text))
        return false;
    *bytes = g_ascii_strtoull(text, &end, 10);
    unit = *end ? strchr(units, g_ascii_toupper(*end)) : NULL;
    if (unit) {
        shift = 10 * (unsigned)(unit - units + 1);
        end++;
        end += g_str_has_prefix(end, "iB") ? 2 : 0;
    }
    if (*end || *bytes > UINT64_MAX >> shift || (*bytes == UINT64_MAX && shift == 0))
        return false;
    *bytes <<= shift;
    return true;
}

/* Adds what one word of a list means. */
static bool add_sizes(GArray *list, char *word, guint most)
{
    char *dots = strstr(word, "..");
    uint64_t first, last;

    if (dots)
        *dots = 0;
    if (!sizes_parse(word, &first) || !first)
        return false;
    last = first;
    if (dots && (!sizes_parse(dots + 2, &last) || last < first))
        return false;
    for (;; first *= 2) {
        if (list->len == most)
            return false;
        g_array_append_val(list, first);
        if (first > last / 2)
            return true;
    }
}

GArray *sizes_parse_list(const char *text, guint most)
{
    g_auto(GStrv) words = g_strsplit(text, ",", -1);
    g_autoptr(GArray) list = g_array_new(FALSE, FALSE, sizeof(uint64_t));

    for (char **word = words; *word; word++)
        if (!add_sizes(list, *word, most))
            return NULL;
    return list->len ? g_steal_pointer(&list) : NULL;
}

char *sizes_format(uint64_t bytes)
{
    unsigned unit = 0;

    while (bytes && bytes % 1024 == 0 && unit < strlen(units)) {
        bytes /= 1024;
        unit++;
    }
    return unit ? g_strdup_printf("%" G_GUINT64_FORMAT "%c", bytes, units[unit - 1])
                : g_strdup_printf("%" G_GUINT64_FORMAT, bytes);
}
