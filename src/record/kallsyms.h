/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of a guest's /proc/kallsyms. It has some hundred thousand lines, and isn't trusted. */
#ifndef MEMORY_TRACER_RECORD_KALLSYMS_H
#define MEMORY_TRACER_RECORD_KALLSYMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A line: "ffffffff81000000 T _stext", perhaps followed by a tab and "[module]". */
typedef struct {
    uint64_t address; /* may be 0 */
    char type;        /* as nm(1) tells it */
    const char *name; /* lies in the text, ends at name_end, and isn't empty */
    const char *name_end;
    const char *module; /* name_end + 1, ends at `end`; NULL: it is the kernel's own */
    const char *end;    /* of the line */
} KallsymsLine;

/* Takes the next line that makes sense from the text. False: there is none. */
bool kallsyms_take(const char **text, KallsymsLine *line);

/* Takes a hexadecimal number from the text. False: there is none, or it has more than 64 bits. */
bool kallsyms_take_number(const char **text, uint64_t *number);

#endif
