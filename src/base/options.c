/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Command lines: see options.h. */
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

static size_t count_options(const GOptionEntry *entries)
{
    size_t count = 0;

    while (entries[count].long_name)
        count++;
    return count;
}

GOptionEntry *options_join(const GOptionEntry *own, const GOptionEntry *common)
{
    size_t own_count = count_options(own), common_count = count_options(common);
    GOptionEntry *all = g_new0(GOptionEntry, own_count + common_count + 1);

    memcpy(all, own, own_count * sizeof *all);
    memcpy(all + own_count, common, common_count * sizeof *all);
    return all;
}

/* Whether a word of the command line, behind its dashes, is this option's name. */
static bool is_name(const char *word, const char *name)
{
    for (; *name && (*word == *name || (*word == '_' && *name == '-') || (*word == '-' && *name == '_')); name++)
        word++;
    return !*name && (!*word || *word == '=');
}

static const GOptionEntry *find_entry(const GOptionEntry *entries, const char *word)
{
    bool is_long = g_str_has_prefix(word, "--");

    for (; entries->long_name; entries++)
        if (is_long ? is_name(word + 2, entries->long_name)
                    : entries->short_name && word[1] == entries->short_name && !word[2])
            return entries;
    return NULL;
}

/* Dashes and underscores in long options' names are the same; not in their values, nor in what follows the options. */
static void accept_dashes(int argc, char **argv, const GOptionEntry *entries, bool posix)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--"); i++) {
        const GOptionEntry *entry;

        if (argv[i][0] != '-' && posix)
            break;
        if (argv[i][0] != '-')
            continue;
        entry = find_entry(entries, argv[i]);
        if (entry && argv[i][1] == '-')
            memcpy(argv[i] + 2, entry->long_name, strlen(entry->long_name));
        if (entry && entry->arg != G_OPTION_ARG_NONE && !strchr(argv[i], '='))
            i++; /* its value */
    }
}

bool options_are_asked_for(int argc, char *const *argv)
{
    return argc == 2 && !strcmp(argv[1], "--print-options");
}

/* A line each: name, letter, what its value is called, what it does; with tabs between. */
static void print_options(const GOptionEntry *entries)
{
    for (; entries->long_name; entries++)
        printf("%s\t%.*s\t%s\t%s\n", entries->long_name, entries->short_name ? 1 : 0, &entries->short_name,
               entries->arg_description ? entries->arg_description : "", entries->description);
}

/* What --help ends with. If options have GMBE in their names, that is explained first. To be freed. */
static char *complete_description(const GOptionEntry *entries, const char *description)
{
    static const char explanation[] = "GMBE, in names of options, is guest_mem_before_exec, a trace event of QEMU 3.0; "
                                      "here it means one memory access.";

    while (entries->long_name && !strstr(entries->long_name, "GMBE"))
        entries++;
    if (!entries->long_name)
        return g_strdup(description);
    return g_strjoin("\n", explanation, description, NULL);
}

/* Whether files and the like that are named have a name at all: an empty one is that of a script's variable that isn't
 * set, and must neither mean the current folder nor that the option isn't given. */
static bool check_paths(const GOptionEntry *entries, GError **error)
{
    for (; entries->long_name; entries++) {
        char *const *path = entries->arg_data;
        bool is_list = entries->arg == G_OPTION_ARG_FILENAME_ARRAY;

        if (is_list)
            path = *(char *const *const *)entries->arg_data;
        else if (entries->arg != G_OPTION_ARG_FILENAME)
            continue;
        for (; path && *path; path = is_list ? path + 1 : NULL)
            if (!**path)
                return mt_fail_usage(error, "--%s needs %s, but it is empty (see --help)", entries->long_name,
                                     entries->arg_description);
    }
    return true;
}

bool options_parse(int *argc, char ***argv, const GOptionEntry *entries, const char *parameters, const char *summary,
                   const char *description, bool posix, GError **error)
{
    g_autoptr(GOptionContext) context = g_option_context_new(parameters);
    g_autofree char *ending = complete_description(entries, description);
    g_autoptr(GError) problem = NULL;
    int kept = 1;

    if (options_are_asked_for(*argc, *argv)) {
        print_options(entries);
        exit(0);
    }
    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_set_summary(context, summary);
    g_option_context_set_description(context, ending);
    g_option_context_set_strict_posix(context, posix);
    accept_dashes(*argc, *argv, entries, posix);
    if (!g_option_context_parse(context, argc, argv, &problem))
        return mt_fail_usage(error, "%s (see --help)", problem->message);
    for (int i = 1; i < *argc; i++) /* GOption leaves the "--" */
        if (kept > 1 || strcmp((*argv)[i], "--"))
            (*argv)[kept++] = (*argv)[i];
    (*argv)[kept] = NULL;
    *argc = kept;
    return check_paths(entries, error);
}

bool options_check_trace_output(const char *path, GError **error)
{
    if (!strcmp(path, "-"))
        return mt_fail_usage(error, "a trace file can't be written to standard output: --output must be a file's path");
    return true;
}

void options_wipe(char *secret)
{
    size_t length = strlen(secret);

    memset(secret, 0, length);
    if (length)
        *secret = '*';
}
