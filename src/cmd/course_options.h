/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options of run and record that say what comes before the traced run, and what ends it. */
#ifndef MEMORY_TRACER_CMD_COURSE_OPTIONS_H
#define MEMORY_TRACER_CMD_COURSE_OPTIONS_H

#include <glib.h>
#include <stdbool.h>

#include "../run/session.h"

typedef struct CourseOptions {
    char *until;
    int warm_ups;
} CourseOptions;

/* The entries for options_join(). To be freed. */
GOptionEntry *course_options_entries(CourseOptions *options);
/* Checks the options and applies them to `session`. The strings stay `options`' own. False with an error. */
bool course_options_apply(const CourseOptions *options, SessionOptions *session, GError **error);
void course_options_clear(CourseOptions *options);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CourseOptions, course_options_clear)

#endif
