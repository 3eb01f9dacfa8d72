/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a workload has failed, and what can be done about it: the last lines of run and record. */
#ifndef MEMORY_TRACER_CMD_ENDING_H
#define MEMORY_TRACER_CMD_ENDING_H

#include "../run/session.h"

/* Adds these lines (char *, to be freed), without "memory_tracer: " and line ends; none if the workload ended as usual.
 */
void ending_add_lines(GPtrArray *lines, const SessionOptions *options, const SessionResult *result);
/* Appends the lines as they are printed. */
void ending_append(GString *text, const SessionOptions *options, const SessionResult *result);

/* The exit status of run and record. */
int ending_status(const SessionResult *result);

#endif
