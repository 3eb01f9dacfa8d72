/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes as people write them: "32K", "1M", "4096", "2MiB". K is 1024. */
#ifndef MEMORY_TRACER_BASE_SIZES_H
#define MEMORY_TRACER_BASE_SIZES_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Sets *bytes. False if `text` isn't a size, or is one that doesn't fit into 64 bits. 0 is a size. */
bool sizes_parse(const char *text, uint64_t *bytes);
/* Parses a list, separated by commas. Each part is a size, not 0, or "A..B": A, then twice that, and so on up to B.
 * Returns the sizes (uint64_t), to be unreferenced; NULL if it isn't such a list, or has more than `most` sizes. */
GArray *sizes_parse_list(const char *text, guint most);
/* The shortest way to write it, such as "32K". To be freed. */
char *sizes_format(uint64_t bytes);

#endif
