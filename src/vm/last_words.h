/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The end of what a workload has printed to its standard error: it may tell why the workload has failed. */
#ifndef MEMORY_TRACER_VM_LAST_WORDS_H
#define MEMORY_TRACER_VM_LAST_WORDS_H

#include <glib.h>
#include <stdbool.h>

/* Keeps the last few kB of what was printed. */
void last_words_add(GString *words, const char *bytes, gsize length);

/* Whether a loader, glibc's or musl's, says in `words` that it couldn't load a library. Sets *library and *reason, both
 * printable, to be freed. The workload may have printed this itself, so it need not be true. */
bool last_words_name_library(const char *words, char **library, char **reason);

#endif
