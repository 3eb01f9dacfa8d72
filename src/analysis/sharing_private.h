/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `sharing` finds: shared by what finds it (sharing.c) and what tells it (sharing_result.c). */
#ifndef MEMORY_TRACER_ANALYSIS_SHARING_PRIVATE_H
#define MEMORY_TRACER_ANALYSIS_SHARING_PRIVATE_H

#include "sharing.h"
#include "shared_lines.h"

#define SHARING_SIZES 2

typedef struct {
    char *between;
    int top;
} SharingOptions;

/* Who shares. Numbers of threads and processes below SHARING_FIRST_TASK are what a vCPU did on nobody's behalf (enum
 * mt_task_context; MT_TASK_RUNS is what isn't known), the others are those of the table of tasks, and so much more. */
typedef enum { BETWEEN_VCPUS, BETWEEN_THREADS, BETWEEN_PROCESSES } Between;
#define SHARING_FIRST_TASK 3

/* By which addresses memory is told apart. */
typedef enum { BY_VIRTUAL, BY_MEMORY, BY_PHYSICAL } LinesBy;

typedef struct {
    const SharingOptions *options;
    const Context *context;
    Between between;
    LinesBy by;
    SharedLines *lines[SHARING_SIZES];
    uint64_t accesses, left_out;
    bool merged; /* of several traces, whose common order nobody knows */
} Sharing;

/* The result: see AnalysisType. */
void sharing_describe(void *data, Report *report);

#endif
