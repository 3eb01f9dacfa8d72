/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The analysis tool: a child process in the protocol of doc/protocols.md. */
#ifndef MEMORY_TRACER_RUN_TOOL_H
#define MEMORY_TRACER_RUN_TOOL_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "../base/loop.h"

typedef struct Tool Tool;

/* Starts the tool with the FIFO's path and the words of `info` (separated by white space) as arguments. If it ends
 * before it has printed its whole output, `loop` fails. NULL with an error. */
Tool *tool_start(const char *path, const char *fifo_path, const char *info, RunLoop *loop, GError **error);
void tool_free(Tool *tool);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Tool, tool_free)

/* For WaitFor: whether it has printed "Ready to analyze". `tool` is a Tool. */
bool tool_is_ready(void *tool);
/* Whether it is waiting: none of its threads, nor of the processes that it has started, has run since the last call; or
 * it has only read the empty FIFO, again and again, since tool_is_busy() was last called. */
bool tool_is_idle(Tool *tool);
/* Notes that there is still something in the FIFO. */
void tool_is_busy(Tool *tool);
/* Asks for the output (SIGUSR1). To be called once. */
void tool_request_output(Tool *tool);
/* For WaitFor: whether it has printed "-----end analysis output-----". `tool` is a Tool. */
bool tool_has_output(void *tool);
/* What it printed between the two words, unchanged. Belongs to the tool. */
const char *tool_output(const Tool *tool);
/* Waits two seconds for it to end by itself, and then ends it. */
void tool_dismiss(Tool *tool);

#endif
