/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a symbol is the one that somebody has named. */
#ifndef MEMORY_TRACER_CONTEXT_NAME_MATCH_H
#define MEMORY_TRACER_CONTEXT_NAME_MATCH_H

#include <glib.h>
#include <stdbool.h>

typedef struct NameMatch NameMatch;

/* `is_glob`: with * for any characters and ? for one. */
NameMatch *name_match_new(const char *pattern, bool is_glob);
void name_match_free(NameMatch *match);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NameMatch, name_match_free)

/* Whether the pattern matches the symbol of this linker name: as the linker name, or as the programmer's name with or
 * without parameters. A kernel module's function (name [module]) matches without the module. The compiler's copies and
 * parts of a function (name.part.0, name.cold) match by the function's name, too. */
bool name_match_test(const NameMatch *match, const char *linker_name);

#endif
