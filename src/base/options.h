/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Command lines: what GOption parses, and what we need beyond that. */
#ifndef MEMORY_TRACER_BASE_OPTIONS_H
#define MEMORY_TRACER_BASE_OPTIONS_H

#include <glib.h>
#include <stdbool.h>

/* Whether `path` can be a trace file to write. False with a usage error for "-" (standard output). */
bool options_check_trace_output(const char *path, GError **error);

/* Overwrites a secret in argv, so that nobody can read it in /proc. */
void options_wipe(char *secret);

/* A table for options_parse(): the entries of `own`, then those of `common`, both ended by a NULL name. To be freed. */
GOptionEntry *options_join(const GOptionEntry *own, const GOptionEntry *common);

/* Whether the command line is only `--print-options`: it asks for the table, which completion is generated from. */
bool options_are_asked_for(int argc, char *const *argv);

/*
 * Parses options as GOption does, but treats dashes and underscores in long names alike, stops at the first word that
 * isn't an option if `posix` is set, and turns errors into usage errors. argc and argv are reduced to what is left,
 * argv[0] included. On --help and --print-options, prints what was asked for and exits. The strings in argv may be
 * changed.
 */
bool options_parse(int *argc, char ***argv, const GOptionEntry *entries, const char *parameters, const char *summary,
                   const char *description, bool posix, GError **error);

#endif
