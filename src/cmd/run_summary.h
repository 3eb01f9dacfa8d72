/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What memory_tracer run and record say in the end. */
#ifndef MEMORY_TRACER_CMD_RUN_SUMMARY_H
#define MEMORY_TRACER_CMD_RUN_SUMMARY_H

#include "../report/report.h"
#include "../run/session.h"

/* The summary as a report; memory_tracer-run(1) describes its members. Warnings (run_options.h, ending.h) are its
 * member "warnings", but aren't in its text. To be freed. */
Report *run_summary_report(const SessionOptions *options, const SessionResult *result);

#endif
