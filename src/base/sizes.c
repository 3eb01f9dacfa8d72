/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes as people write them: see sizes.h. */
#include "sizes.h"

#include <glib.h>
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
