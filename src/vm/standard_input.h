/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Passes our standard input on to the workload as it comes: never more than was asked for, and without blocking the
 * main loop. A terminal is read only while we are in its foreground.
 */
#ifndef MEMORY_TRACER_VM_STANDARD_INPUT_H
#define MEMORY_TRACER_VM_STANDARD_INPUT_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "../protocol/frames.h"

typedef struct StandardInput StandardInput;

typedef struct StandardInputHandlers {
    void (*bytes)(void *data, const uint8_t *bytes, size_t length); /* none: the end */
    void (*typed)(void *data);                                      /* before `bytes` that come from a terminal */
    void (*resized)(void *data, const struct mt_window *window);    /* of the terminal */
    void (*escape)(void *data); /* Ctrl-] was typed on the terminal; it is not passed on */
    void *data;
} StandardInputHandlers;

/*
 * Sets in `run` what the workload's standard input is: nothing, a file that the guest has, too (only with `sees_host`;
 * *file becomes its path, to be freed; else NULL), or bytes that will be passed on. With `terminal`, standard input
 * must be a terminal, and the workload gets one of the same size.
 */
StandardInput *standard_input_new(struct mt_run *run, bool sees_host, bool terminal, char **file,
                                  const StandardInputHandlers *handlers);
/* The workload begins: it uses our terminal from now on. All keys except Ctrl-] are passed on. */
void standard_input_begin(StandardInput *input);
/* Restores our terminal's mode, and stops reading it. */
void standard_input_leave_terminal(StandardInput *input);
/* Allows this many more bytes to be passed on; 0: nobody will read any more, so our standard input is closed. */
void standard_input_want(StandardInput *input, uint64_t bytes);
/* The workload has ended, and has taken this many bytes (mt_exit). If standard input can be sought, its position is set
 * behind them. Restores the terminal's mode. */
void standard_input_finish(StandardInput *input, uint64_t taken);
void standard_input_free(StandardInput *input);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StandardInput, standard_input_free)

#endif
