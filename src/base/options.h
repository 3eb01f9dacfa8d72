/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Command lines, as GOption parses them, and what we want of it besides. */
#ifndef MEMORY_TRACER_BASE_OPTIONS_H
#define MEMORY_TRACER_BASE_OPTIONS_H

#include <glib.h>
#include <stdbool.h>

/* Whether this can be the name of a trace file to write: standard output can't. */
bool options_check_trace_output(const char *path, GError **error);

/* Overwrites a secret in argv, so that nobody can read it in /proc. */
void options_wipe(char *secret);

/* A table for options_parse(): `own`, then `common`, both ended by a NULL name. To be freed. */
GOptionEntry *options_join(const GOptionEntry *own, const GOptionEntry *common);

/* Whether the command line is only `--print-options`, which completion is generated from: the answer is the table. */
bool options_are_asked_for(int argc, char *const *argv);

/*
 * Parses options as GOption does, but takes dashes and underscores in long names for the same, stops at the first word
 * that is no option if `posix` is set, and turns errors into usage errors. argc and argv are reduced to what is left,
 * argv[0] included. Prints the help, or the table of options, and exits where asked to. The strings in argv are
 * changed.
 */
bool options_parse(int *argc, char ***argv, const GOptionEntry *entries, const char *parameters, const char *summary,
                   const char *description, bool posix, GError **error);

#endif
