/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of /proc/kallsyms: see kallsyms.h. */
#define _GNU_SOURCE /* strchrnul() */
#include "kallsyms.h"

#include <string.h>

/* The values of hexadecimal digits, plus 1; 0: it is none. */
static const unsigned char digits[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

bool kallsyms_take_number(const char **text, uint64_t *number)
{
    const char *begin = *text, *next = begin;
    uint64_t value = 0;
    bool fits = true;

    for (unsigned digit; fits && (digit = digits[(unsigned char)*next]); next++) {
        fits = !(value >> 60);
        value = value << 4 | (digit - 1);
    }
    *text = next;
    *number = value;
    return fits && next > begin;
}

static bool read_line(const char *text, KallsymsLine *line)
{
    if (!kallsyms_take_number(&text, &line->address) || line->end - text < 4 || text[0] != ' ' || text[2] != ' ')
        return false;
    line->type = text[1];
    line->name = text + 3;
    line->name_end = memchr(line->name, '\t', (size_t)(line->end - line->name));
    line->module = line->name_end ? line->name_end + 1 : NULL;
    if (!line->name_end)
        line->name_end = line->end;
    return line->name_end > line->name;
}

bool kallsyms_take(const char **text, KallsymsLine *line)
{
    while (**text) {
        const char *begin = *text;

        line->end = strchrnul(begin, '\n');
        *text = *line->end ? line->end + 1 : line->end;
        if (read_line(begin, line))
            return true;
    }
    return false;
}
