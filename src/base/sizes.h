/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes as people write them: "32K", "1M", "4096", "2MiB". K is 1024. */
#ifndef MEMORY_TRACER_BASE_SIZES_H
#define MEMORY_TRACER_BASE_SIZES_H

#include <stdbool.h>
#include <stdint.h>

/* False if that is no size, or more than 64 bits. 0 is one. */
bool sizes_parse(const char *text, uint64_t *bytes);
/* The shortest way to write it, such as "32K". To be freed. */
char *sizes_format(uint64_t bytes);

#endif
