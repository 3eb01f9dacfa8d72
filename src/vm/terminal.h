/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QEMU's monitor, or the guest's console, on our terminal: input comes from standard input; output goes to the
 * terminal, or to standard error if there is none. Standard output is for what scripts read. */
#ifndef MEMORY_TRACER_VM_TERMINAL_H
#define MEMORY_TRACER_VM_TERMINAL_H

#include <glib.h>
#include <stdbool.h>

typedef struct Terminal Terminal;

/* Passes on, in the main loop, what is typed and what the other side prints. Takes `fd`, its socket. Ctrl-C
 * interrupts us; but with `raw` all keys go to the other side, except Ctrl-], which interrupts us then. */
Terminal *terminal_new(int fd, bool raw);
/* Restores the terminal's mode. NULL is fine. */
void terminal_free(Terminal *terminal);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Terminal, terminal_free)

/* Whether standard input has come to its end, and all of it was passed on. */
bool terminal_is_closed(const Terminal *terminal);

#endif
