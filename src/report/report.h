/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A result as data: values, sections of values, and tables. Text, JSON and CSV are made from it, so that each figure is
 * named once and no form lacks what another one has.
 *
 * Every item has a `name`, which is an interface (JSON members, CSV columns), and a `label` for people. An item without
 * a label isn't in the text; one without a name is in the text only. Strings are copied. What comes from a guest or a
 * file may hold anything, and is made printable.
 */
#ifndef MEMORY_TRACER_REPORT_REPORT_H
#define MEMORY_TRACER_REPORT_REPORT_H

#include <glib.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stdint.h>

/* A result, or a section of one. */
typedef struct Report Report;
typedef struct ReportTable ReportTable;

Report *report_new(void);
void report_free(Report *report);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Report, report_free)

/* Sets the line above the report in the text. It is printed as it is: a picture has several, and colours. */
void report_set_title(Report *report, const char *title);

void report_add_count(Report *report, const char *name, const char *label, uint64_t value);
/* A count; the text also shows its share of `total` in per cent, unless `total` is 0. */
void report_add_share(Report *report, const char *name, const char *label, uint64_t value, uint64_t total);
/* In the text, with `digits` digits after the decimal point. */
void report_add_real(Report *report, const char *name, const char *label, double value, int digits);
void report_add_text(Report *report, const char *name, const char *label, const char *value);
void report_add_flag(Report *report, const char *name, const char *label, bool value);
/* Anything else: in the text, objects are sections. Takes `value`. */
void report_add_json(Report *report, const char *name, const char *label, JsonNode *value);
/* A list of texts; in the text separated by commas. */
void report_add_texts(Report *report, const char *name, const char *label, const char *const *values);

/* A count that people read in a sentence. */
void report_add_sentence(Report *report, const char *name, const char *sentence, uint64_t value);

/* A section, which belongs to `report`. If its label is "", its items stand among those of `report` in the text. */
Report *report_add_section(Report *report, const char *name, const char *label);

/* Adds a section to the list of sections `name`, with a title of its own in the text. It belongs to `report`. */
Report *report_add_to_list(Report *report, const char *name, const char *title);

typedef enum { REPORT_COUNT, REPORT_REAL, REPORT_ADDRESS, REPORT_TEXT } ReportKind;

typedef struct ReportColumn {
    const char *name, *label;
    ReportKind kind;
} ReportColumn;

/* A table, which belongs to `report`. `columns` ends with one that has no name; their strings aren't copied and must
 * outlive the report. */
ReportTable *report_add_table(Report *report, const char *name, const char *label, const ReportColumn *columns);
/* Adds a row: for each column a uint64_t (REPORT_COUNT, REPORT_ADDRESS), double or const char *. */
void report_table_add_row(ReportTable *table, ...);
/* The same, cell by cell. */
void report_table_begin_row(ReportTable *table);
void report_table_add_count(ReportTable *table, uint64_t value);
void report_table_add_text(ReportTable *table, const char *value);

/* The report in each form, as a string to be freed. */
char *report_as_text(const Report *report);
/* One line, or with `pretty` several indented ones; a line feed is at the end. */
char *report_as_json(const Report *report, bool pretty);
/* "name,value" for all values (those of sections as "section.name"), then each table below an empty line. */
char *report_as_csv(const Report *report);

#endif
