/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes as people write them: "32K", "1M", "4096", "2MiB". K is 1024. */
#ifndef MEMORY_TRACER_BASE_SIZES_H
#define MEMORY_TRACER_BASE_SIZES_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* False if that is no size, or more than 64 bits. 0 is one. */
bool sizes_parse(const char *text, uint64_t *bytes);
/* Several, separated by commas, of which each is a size from 1 on or "A..B": A, doubled until B. A list (uint64_t), to
 * be unreferenced; NULL if it isn't one, or one of more than `most`. */
GArray *sizes_parse_list(const char *text, guint most);
/* The shortest way to write it, such as "32K". To be freed. */
char *sizes_format(uint64_t bytes);

#endif
