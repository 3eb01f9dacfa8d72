/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_tracer: dispatches to the verbs, prints what went wrong. */
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"

#define TOOL_PREFIX "memory_tracer-"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv, GError **error);
} verbs[] = {
    { "run", cmd_run },         { "record", cmd_record },   { "info", cmd_info }, { "dump", cmd_dump },
    { "check", cmd_check },     { "recover", cmd_recover }, { "cut", cmd_cut },   { "merge", cmd_merge },
    { "convert", cmd_convert }, { "image", cmd_image },     { "ctl", cmd_ctl },   { "analyze", cmd_analyze },
};

/* `help` and `help VERB` are `--help` and `VERB --help`. */
static void accept_help(int *argc, char **argv)
{
    if (*argc < 2 || *argc > 3 || strcmp(argv[1], "help"))
        return;
    argv[1] = *argc == 3 ? argv[2] : "--help";
    if (*argc == 3)
        argv[2] = "--help";
}

/* The older command line begins with an option or the path of an image. */
static bool is_meant_as_verb(const char *word)
{
    return *word != '-' && !strpbrk(word, "/.");
}

/* Called by a name like memory_tracer-stat. */
static const AnalysisType *called_as_tool(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

    return g_str_has_prefix(name, TOOL_PREFIX) ? analysis_find_type(name + strlen(TOOL_PREFIX)) : NULL;
}

int main(int argc, char **argv)
{
    const AnalysisType *tool = argc ? called_as_tool(argv[0]) : NULL;
    GError *error = NULL;
    int status = -1;

    cmd_open_standard_streams();
    setlocale(LC_ALL, "");
    if (tool) {
        status = cmd_tool(tool, argc, argv, &error);
        goto done;
    }
    if (argc > 1 && !strcmp(argv[1], "--version")) {
        puts("memory_tracer " MEMORY_TRACER_VERSION);
        return 0;
    }
    accept_help(&argc, argv);
    for (guint i = 0; i < G_N_ELEMENTS(verbs); i++) {
        if (argc > 1 && !strcmp(argv[1], verbs[i].name)) {
            g_autofree char *name = g_strdup_printf("memory_tracer %s", verbs[i].name);

            g_set_prgname(name);
            status = verbs[i].run(argc - 1, argv + 1, &error);
            goto done;
        }
    }
    if (argc > 1 && analysis_find_type(argv[1])) {
        g_autofree char *name = g_strdup_printf("memory_tracer %s", argv[1]);

        g_set_prgname(name);
        status = cmd_analysis(analysis_find_type(argv[1]), argc - 1, argv + 1, &error);
        goto done;
    }
    if (argc == 1)
        mt_fail_usage(&error, "a verb is needed: " CMD_VERBS " (see --help)");
    else if (is_meant_as_verb(argv[1]) && !g_file_test(argv[1], G_FILE_TEST_EXISTS))
        mt_fail_usage(&error, "unknown verb '%s': it must be one of " CMD_VERBS " (see --help)", argv[1]);
    else
        status = cmd_trace(argc, argv, &error);
done:
    return cmd_exit_status(status, error);
}
