/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An analysis once more for each process, thread, function, source line, file of code, object or kind of memory (--by):
 * whatever it is, it is given the records of each group alone, in their order. One that can count all groups in the
 * same pass (AnalysisType's add_groups) is asked to do that instead.
 */
#ifndef MEMORY_TRACER_ANALYSIS_GROUPS_H
#define MEMORY_TRACER_ANALYSIS_GROUPS_H

#include "analysis.h"
#include "group_finder.h"

/* By the name that users give it; NULL is GROUP_BY_NOTHING. */
bool groups_parse(const char *name, GroupBy *by, GError **error);
/* Of enum mt_columns: what must be known of records. */
unsigned groups_columns(GroupBy by);

typedef struct Groups Groups;

/* `options` are the analysis's, and stay, as does the context. NULL, with an error, if the trace doesn't tell. */
Groups *groups_new(GroupBy by, const AnalysisType *type, const void *options, const Context *context, GError **error);
void groups_free(Groups *groups);
/* `all` is the analysis of all records, which gets the batch, too. */
bool groups_add(Groups *groups, void *all, const struct mt_batch *batch, GError **error);
void groups_describe(Groups *groups, void *all, Report *report);

#endif
