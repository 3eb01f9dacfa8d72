/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of /proc/kallsyms: see kallsyms.h. */
#define _GNU_SOURCE /* strchrnul() */
#include "kallsyms.h"

#include <string.h>

/* The value of a hexadecimal digit; of other characters, at least 16. */
static inline unsigned digit_of(char character)
{
    unsigned digit = (unsigned char)character - (unsigned)'0',
             letter = ((unsigned char)character | 0x20) - (unsigned)'a';

    return digit < 10 ? digit : letter < 6 ? 10 + letter : 16;
}

bool kallsyms_take_number(const char **text, uint64_t *number)
{
    const char *begin = *text;

    *number = 0;
    for (unsigned digit; (digit = digit_of(**text)) < 16; ++*text) {
        if (*number >> 60)
            return false;
        *number = *number << 4 | digit;
    }
    return *text > begin;
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
