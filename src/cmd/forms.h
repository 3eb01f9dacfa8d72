/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The forms in which verbs print their results: text, --json, --csv. */
#ifndef MEMORY_TRACER_CMD_FORMS_H
#define MEMORY_TRACER_CMD_FORMS_H

#include "../report/report.h"

typedef struct Forms {
    gboolean json, csv;
} Forms;

/* The table for options_parse(): `own` (ended by a NULL name), then those of `forms`. To be freed. */
GOptionEntry *forms_entries(Forms *forms, const GOptionEntry *own);
/* Whether at most one form was asked for. False with a usage error. */
bool forms_check(const Forms *forms, GError **error);
/* The report in the form that was asked for; JSON in several lines if `pretty`. To be freed. */
char *forms_format(const Forms *forms, const Report *report, bool pretty);
/* Prints the report to standard output; fails as cmd_print() does. */
bool forms_print(const Forms *forms, const Report *report, GError **error);

#endif
