/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QEMU's monitor, or the guest's console, on our terminal: what is typed comes from standard input; what is printed
 * goes to the terminal, or to standard error where there is none. Standard output is for what scripts read. */
#ifndef MEMORY_TRACER_VM_TERMINAL_H
#define MEMORY_TRACER_VM_TERMINAL_H

#include <glib.h>
#include <stdbool.h>

typedef struct Terminal Terminal;

/* Passes on, in the main loop, what is typed and what the other side prints. `fd` is its socket: taken. Ctrl-C
 * interrupts us; but with `raw` all keys are the other side's, except for Ctrl-], which interrupts us then. */
Terminal *terminal_new(int fd, bool raw);
/* Gives the terminal back as it was. */
void terminal_free(Terminal *terminal);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Terminal, terminal_free)

/* Whether standard input has come to its end, and all of it was passed on. */
bool terminal_is_closed(const Terminal *terminal);

#endif
