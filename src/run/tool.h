/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The analysis tool: a child process in the protocol of doc/protocols.md. */
#ifndef MEMORY_TRACER_RUN_TOOL_H
#define MEMORY_TRACER_RUN_TOOL_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "../base/loop.h"

typedef struct Tool Tool;

/* Starts the tool with the FIFO's path and the words of `info` (separated by white space) as arguments. When it ends
 * before it has printed its whole output, `loop` fails. */
Tool *tool_start(const char *path, const char *fifo_path, const char *info, RunLoop *loop, GError **error);
void tool_free(Tool *tool);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Tool, tool_free)

/* It has printed "Ready to analyze". */
bool tool_is_ready(void *tool);
/* It waits for something: none of its threads, nor of the processes it has started, has run since the last call. Or it
 * waits by reading the empty FIFO again and again, since tool_is_busy() was called last. */
bool tool_is_idle(Tool *tool);
/* There still is something in the FIFO. */
void tool_is_busy(Tool *tool);
/* Asks for the output, once. */
void tool_request_output(Tool *tool);
/* It has printed "-----end analysis output-----". */
bool tool_has_output(void *tool);
/* What it printed between the two words, as it is. */
const char *tool_output(const Tool *tool);
/* Lets it end by itself, and ends it otherwise. */
void tool_dismiss(Tool *tool);

#endif
