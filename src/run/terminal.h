/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QEMU's monitor on our terminal (or whatever standard input and output are). */
#ifndef MEMORY_TRACER_RUN_TERMINAL_H
#define MEMORY_TRACER_RUN_TERMINAL_H

#include <glib.h>
#include <stdbool.h>

typedef struct Terminal Terminal;

/* Passes on, in the main loop, what is typed and what the monitor prints. `fd` is the monitor's socket: taken. Ctrl-C
 * stays what it is: it interrupts us. */
Terminal *terminal_new(int fd);
/* Gives the terminal back as it was. */
void terminal_free(Terminal *terminal);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Terminal, terminal_free)

/* Whether standard input has come to its end, and all of it was passed on. */
bool terminal_is_closed(const Terminal *terminal);

#endif
