/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The columns of memory_tracer dump, as text and as members of JSON objects. */
#ifndef MEMORY_TRACER_CMD_DUMP_COLUMNS_H
#define MEMORY_TRACER_CMD_DUMP_COLUMNS_H

#include <glib.h>
#include <stdbool.h>

#include "dump_code.h"

/* A record that is shown. */
typedef struct DumpRow {
    const struct mt_batch *batch;
    size_t i;
    const struct mt_task *task; /* or NULL */
    enum mt_task_context context;
    const char *command;            /* the task's name, printable; or NULL */
    const DumpedCode *code;         /* or NULL */
    const struct mt_object *object; /* or NULL */
} DumpRow;

typedef struct DumpColumn {
    const char *name;
    int width;       /* of its text, in bytes; negative: aligned to the left. 0: not padded */
    unsigned fields; /* of enum mt_fields: the trace must have them */
    /* Appends what is known of the row; nothing if nothing is. */
    void (*add_text)(GString *text, const DumpRow *row);
    /* Appends JSON members, separated by commas. */
    void (*add_json)(GString *text, const DumpRow *row);
} DumpColumn;

/* All that there are, up to one without a name. */
extern const DumpColumn dump_columns_all[];

/* The columns (const DumpColumn *) of a list of names, to be unreferenced. NULL with an error if a name isn't one of a
 * column, or the trace lacks what the column needs. */
GPtrArray *dump_columns_parse(const char *list, unsigned fields, GError **error);
/* The columns that are shown if no list is given; `lines`: also the source lines. To be unreferenced. */
GPtrArray *dump_columns_default(unsigned fields, bool as_json, bool lines);
/* Which fields of the trace they need, and whether they tell what is accessed. */
unsigned dump_columns_fields(const GPtrArray *columns);
bool dump_columns_have_objects(const GPtrArray *columns);

/* Append a line each, with a line feed. The heading is for text. */
void dump_columns_add_heading(GString *line, const GPtrArray *columns);
void dump_columns_add_text(GString *line, const GPtrArray *columns, const DumpRow *row);
void dump_columns_add_json(GString *line, const GPtrArray *columns, const DumpRow *row);

#endif
