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

/* Whether it means the symbol that the linker names so: by this name, or the programmer's with or without parameters. A
 * kernel module's function (name [module]) is named without the module, and the compiler's copies and parts of a
 * function (name.part.0, name.cold) by the function's name as well. */
bool name_match_test(const NameMatch *match, const char *linker_name);

#endif
