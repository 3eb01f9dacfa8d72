/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our terminal (standard input) in another mode than it was found in. While we are stopped (SIGTSTP) it is as it was,
 * and what another process has made of it meanwhile is undone when we go on. In the background it is left alone. There
 * is one terminal, so all this is about that.
 */
#ifndef MEMORY_TRACER_BASE_TERMINAL_MODE_H
#define MEMORY_TRACER_BASE_TERMINAL_MODE_H

#include <stdbool.h>

/* Keys come one by one, and aren't printed; with `raw`, all of them come, and what is printed is left as it is. Returns
 * whether standard input is a terminal. */
bool terminal_mode_enter(bool raw);
/* Makes it what it was; nothing if it is that. */
void terminal_mode_leave(void);
/* Whether we may read from it: who does so in the background is stopped. */
bool terminal_mode_may_read(int fd);

#endif
