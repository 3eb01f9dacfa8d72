/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of `sharing`: sharing.c counts, sharing_result.c describes the result. */
#ifndef MEMORY_TRACER_ANALYSIS_SHARING_PRIVATE_H
#define MEMORY_TRACER_ANALYSIS_SHARING_PRIVATE_H

#include "sharing.h"
#include "shared_lines.h"

typedef struct {
    char *between;
    int top;
} SharingOptions;

/* Who shares lines. A thread or process has its number in the table of tasks, plus SHARING_FIRST_TASK. Lower numbers
 * are contexts that belong to no task (enum mt_task_context; MT_TASK_RUNS: unknown). */
typedef enum { BETWEEN_VCPUS, BETWEEN_THREADS, BETWEEN_PROCESSES } Between;
#define SHARING_FIRST_TASK 3

/* By which addresses memory is told apart. */
typedef enum { BY_VIRTUAL, BY_MEMORY, BY_PHYSICAL } LinesBy;

typedef struct {
    const SharingOptions *options;
    const Context *context;
    Between between;
    LinesBy by;
    SharedLines *lines;
    uint64_t stretch_records;
    uint64_t stretch; /* that `lines` are at */
    uint64_t accesses, left_out;
    bool merged; /* from several traces, whose common order isn't known */
} Sharing;

/* The result: see AnalysisType. */
void sharing_describe(void *data, Report *report);

#endif
