/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes text that a guest, an image or QEMU wrote safe to print. */
#ifndef MEMORY_TRACER_BASE_PRINTABLE_H
#define MEMORY_TRACER_BASE_PRINTABLE_H

#include <glib.h>

/* A copy on one line: what isn't printable, above all escape sequences, becomes \xNN, byte by byte. White space at the
 * end is removed, and a very long text is cut, with "..." at its end. The result is UTF-8, to be freed. */
char *text_make_printable(const char *text);
/* Whether the text is printable as it is, and no longer than `most` bytes. */
gboolean text_is_printable(const char *text, size_t most);

#endif
