/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our standard input, passed on to the workload: live, no more of it than was asked for, and never blocking the main
 * loop. A terminal is read while we are in its foreground, as others are who run in the background.
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
 * Sets what `run` says of standard input: nothing if it is empty, a file that the guest has as well (`sees_host`; *file
 * becomes its path, to be freed, else NULL), or that it will be passed on. With `terminal`, which it must be, the
 * workload gets one of its size.
 */
StandardInput *standard_input_new(struct mt_run *run, bool sees_host, bool terminal, char **file,
                                  const StandardInputHandlers *handlers);
/* The workload is let go: its terminal is ours from now on. All keys but Ctrl-] are passed on. */
void standard_input_begin(StandardInput *input);
/* Our terminal is as it was, and no longer read. */
void standard_input_leave_terminal(StandardInput *input);
/* So many bytes more may be passed on; none: nobody will read any more, so ours is closed. */
void standard_input_want(StandardInput *input, uint64_t bytes);
/* The workload has ended, and has taken so many bytes (mt_exit): what it hasn't is ours again if we can be set back.
 * The terminal is as it was. */
void standard_input_finish(StandardInput *input, uint64_t taken);
void standard_input_free(StandardInput *input);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StandardInput, standard_input_free)

#endif
