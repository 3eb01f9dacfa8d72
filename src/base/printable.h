/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text that a guest, an image or QEMU wrote, for a terminal or a line of ours. */
#ifndef MEMORY_TRACER_BASE_PRINTABLE_H
#define MEMORY_TRACER_BASE_PRINTABLE_H

#include <glib.h>

/* A copy on one line: what isn't printable, an escape sequence above all, becomes \xNN, byte by byte. White space at
 * the end is gone, and of a very long text the rest is. The result is UTF-8. */
char *text_make_printable(const char *text);
/* Whether it is so already, and no longer than `most` bytes. */
gboolean text_is_printable(const char *text, size_t most);

#endif
