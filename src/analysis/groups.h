/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs an analysis once more for each process, thread, function, source line, file of code, object or region (--by).
 * The analysis of a group gets the group's records alone, in their order. An analysis that can count all groups in one
 * pass (AnalysisType's add_groups) does that instead.
 */
#ifndef MEMORY_TRACER_ANALYSIS_GROUPS_H
#define MEMORY_TRACER_ANALYSIS_GROUPS_H

#include "analysis.h"
#include "group_finder.h"

/* Parses the argument of --by; NULL is GROUP_BY_NOTHING. False with a usage error. */
bool groups_parse(const char *name, GroupBy *by, GError **error);
/* The columns (enum mt_columns) that batches must have. */
unsigned groups_columns(GroupBy by);

typedef struct Groups Groups;

/* `options` are the analysis's; they and the context must outlive the result. NULL with an error if the trace lacks
 * what the groups need. */
Groups *groups_new(GroupBy by, const AnalysisType *type, const void *options, const Context *context, GError **error);
void groups_free(Groups *groups);
/* Adds a batch to the groups, and to `all`, the state of the analysis of all records. */
bool groups_add(Groups *groups, void *all, const struct mt_batch *batch, GError **error);
void groups_describe(Groups *groups, void *all, Report *report);

#endif
