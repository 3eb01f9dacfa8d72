/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets our terminal (standard input) to another mode for some time. While we are stopped (SIGTSTP), it has its former
 * mode; when we go on, it gets ours again, whatever another process has set meanwhile. While we are in the background,
 * it is left alone. There is one terminal, so this module has one state.
 */
#ifndef MEMORY_TRACER_BASE_TERMINAL_MODE_H
#define MEMORY_TRACER_BASE_TERMINAL_MODE_H

#include <stdbool.h>

/* From now on, keys are read one by one and not echoed; with `raw`, Ctrl-C and the like are keys, too, and output isn't
 * changed. False if standard input isn't a terminal, or has our mode already. */
bool terminal_mode_enter(bool raw);
/* Restores the former mode, if it was changed. */
void terminal_mode_leave(void);
/* Whether we may read from `fd`: a process that reads its terminal in the background is stopped. */
bool terminal_mode_may_read(int fd);

#endif
