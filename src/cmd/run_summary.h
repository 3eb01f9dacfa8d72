/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What memory_tracer run and record say in the end. */
#ifndef MEMORY_TRACER_CMD_RUN_SUMMARY_H
#define MEMORY_TRACER_CMD_RUN_SUMMARY_H

#include "../run/session.h"

/* Appends it, for people. */
void run_summary_append(GString *text, const SessionOptions *options, const SessionResult *result);
/* One line, with its end; its members are in memory_tracer-run(1). */
char *run_summary_as_json(const SessionOptions *options, const SessionResult *result);

#endif
