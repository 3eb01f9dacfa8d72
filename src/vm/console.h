/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest's serial console, used by a program: waits for texts and types others. */
#ifndef MEMORY_TRACER_VM_CONSOLE_H
#define MEMORY_TRACER_VM_CONSOLE_H

#include <glib.h>
#include <stdbool.h>

typedef struct Console Console;

/* Takes `fd`, the console's socket. What comes is gathered in the main loop. */
Console *console_new(int fd);
void console_free(Console *console);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Console, console_free)

/* Types text on the console. */
void console_type(Console *console, const char *text);
/* Where `text` has come since the last console_discard(), or NULL. Valid until more text comes. */
const char *console_find(const Console *console, const char *text);
/* console_find() no longer finds what came so far. */
void console_discard(Console *console);
/* The last text that came, printable, for messages. To be freed. */
char *console_last_words(const Console *console);

#endif
