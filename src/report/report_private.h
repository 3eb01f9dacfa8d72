/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a report is stored, for the files that turn it into text, JSON and CSV. */
#ifndef MEMORY_TRACER_REPORT_REPORT_PRIVATE_H
#define MEMORY_TRACER_REPORT_REPORT_PRIVATE_H

#include "report.h"

struct ReportTable {
    ReportColumn *columns;
    guint count;
    GPtrArray *rows; /* of GPtrArray of JsonNode */
};

/* One of value, section, list and table. */
typedef struct ReportItem {
    char *name, *label;
    JsonNode *value;
    uint64_t total; /* the value is a share of this; or 0 */
    int digits;     /* of a real number */
    bool sentence;  /* in the text, the label alone is printed */
    Report *section;
    GPtrArray *list; /* of Report */
    ReportTable *table;
} ReportItem;

struct Report {
    char *title;
    GPtrArray *items; /* ReportItem */
};

/* A cell of a table as text; counts with the locale's grouping if `grouped`. */
char *report_format_cell(const JsonNode *node, ReportKind kind, bool grouped);

#endif
