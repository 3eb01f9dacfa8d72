/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An analysis once more for each process, thread, function, source line, file of code, object or kind of memory (--by):
 * whatever it is, it is given the records of each group alone, in their order.
 */
#ifndef MEMORY_TRACER_ANALYSIS_GROUPS_H
#define MEMORY_TRACER_ANALYSIS_GROUPS_H

#include "analysis.h"

typedef enum {
    GROUP_BY_NOTHING,
    GROUP_BY_PROCESS,
    GROUP_BY_THREAD,
    GROUP_BY_FUNCTION,
    GROUP_BY_LINE,   /* of the source */
    GROUP_BY_FILE,   /* that the code is of */
    GROUP_BY_OBJECT, /* that is accessed */
    GROUP_BY_REGION, /* its kind of memory */
} GroupBy;

/* By the name that users give it; NULL is GROUP_BY_NOTHING. */
bool groups_parse(const char *name, GroupBy *by, GError **error);
/* Of enum mt_columns: what must be known of records. */
unsigned groups_columns(GroupBy by);

typedef struct Groups Groups;

/* `options` are the analysis's, and stay, as does the context. NULL, with an error, if the trace doesn't tell. */
Groups *groups_new(GroupBy by, const AnalysisType *type, const void *options, const Context *context, GError **error);
void groups_free(Groups *groups);
bool groups_add(Groups *groups, const struct mt_batch *batch, GError **error);
void groups_describe(Groups *groups, Report *report);

#endif
