/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which symbols a name means: see name_match.h. */
#include "name_match.h"

#include <string.h>

#include "demangle.h"

struct NameMatch {
    char *name;         /* NULL if there is a glob */
    GPatternSpec *glob; /* or NULL */
};

NameMatch *name_match_new(const char *pattern, bool is_glob)
{
    NameMatch *match = g_new0(NameMatch, 1);

    if (is_glob)
        match->glob = g_pattern_spec_new(pattern);
    else
        match->name = g_strdup(pattern);
    return match;
}

void name_match_free(NameMatch *match)
{
    if (!match)
        return;
    g_clear_pointer(&match->glob, g_pattern_spec_free);
    g_free(match->name);
    g_free(match);
}

static bool is_it(const NameMatch *match, const char *name)
{
    return match->glob ? g_pattern_spec_match_string(match->glob, name) : !strcmp(name, match->name);
}

/* Whether the pattern matches this linker name, or the programmer's name that it was made from. */
static bool test(const NameMatch *match, const char *name)
{
    g_autofree char *brief = NULL, *full = NULL;

    if (is_it(match, name))
        return true;
    brief = demangle(name, false);
    if (!brief)
        return false;
    full = demangle(name, true);
    return is_it(match, brief) || (full && is_it(match, full));
}

bool name_match_test(const NameMatch *match, const char *linker_name)
{
    g_autofree char *own = g_strndup(linker_name, strcspn(linker_name, " "));
    char *dot = *own ? strchr(own + 1, '.') : NULL;

    if (is_it(match, linker_name) || test(match, own))
        return true;
    if (!dot || strchr(dot, '@'))
        return false;
    *dot = 0;
    return test(match, own);
}
