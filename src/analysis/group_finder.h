/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which group each record belongs to (--by): that of its task, of its instruction, or of what it accesses. Groups get
 * numbers, from 0 on, in the order in which they are found.
 */
#ifndef MEMORY_TRACER_ANALYSIS_GROUP_FINDER_H
#define MEMORY_TRACER_ANALYSIS_GROUP_FINDER_H

#include <glib.h>
#include <stdbool.h>

#include "../context/context.h"

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

/* What a group's records have in common. */
typedef enum { GROUP_WAY_TASK, GROUP_WAY_INSTRUCTION, GROUP_WAY_OBJECT } GroupWay;

GroupWay group_way(GroupBy by);

typedef struct GroupFinder GroupFinder;

/* The context must outlive the result, which is freed by group_finder_free(). NULL if the groups are objects or
 * regions, and the context has no objects. */
GroupFinder *group_finder_new(GroupBy by, const Context *context);
void group_finder_free(GroupFinder *finder);

/* How many groups were found so far. */
guint group_finder_count(const GroupFinder *finder);
/* Sets groups[i] to the group of record `i`, for each record of the batch. */
void group_finder_find(GroupFinder *finder, const struct mt_batch *batch, uint32_t *groups);

/* A stretch of a batch in which a record's group depends on its instruction alone. In stretches of the same tag, an
 * instruction has the same group. */
typedef struct GroupRun {
    size_t begin, end;      /* its records: `begin` to `end` - 1 */
    uint32_t tag;           /* below GROUP_TAGS */
    const uint32_t *groups; /* if the group doesn't depend on it: each record's group, which is its tag; else NULL */
    MemoryRun memory;       /* for the finder only */
    EventRun events;        /* for the finder only */
} GroupRun;

#define GROUP_TAGS (UINT32_C(1) << 30)

/* Goes on to the next stretch. The caller sets *run to all zeros first. False at the batch's end. Valid until the next
 * batch. */
bool group_finder_next_run(GroupFinder *finder, const struct mt_batch *batch, GroupRun *run);
/* The group of an instruction in stretches of this tag. */
uint32_t group_finder_of(GroupFinder *finder, uint32_t tag, uint32_t instruction);

/* A group's name, which belongs to the finder or the context, and its pid and thread id, or 0. */
const char *group_finder_name(const GroupFinder *finder, guint group, uint64_t *pid, uint64_t *tid);
/* GROUP_BY_OBJECT: the word for the region of the object. */
const char *group_finder_region(const GroupFinder *finder, guint group);
/* An order for groups with equal figures: below 0 if `a` comes first. */
int group_finder_compare(const GroupFinder *finder, guint a, guint b);

#endif
