/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_tracer: dispatches to the verbs, prints what went wrong. */
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "../analysis/cache.h"
#include "../analysis/mrc.h"
#include "../analysis/heatmap.h"
#include "../analysis/sharing.h"
#include "../analysis/reuse.h"
#include "../analysis/stat.h"
#include "../analysis/sweep.h"
#include "../analysis/tlb.h"
#include "../analysis/wss.h"
#include "cmd.h"

#define TOOL_PREFIX "memory_tracer-"

static int run_stat(int argc, char **argv, GError **error)
{
    return cmd_analysis(&stat_analysis, argc, argv, error);
}

static int run_cache(int argc, char **argv, GError **error)
{
    return cmd_analysis(&cache_analysis, argc, argv, error);
}

static int run_sweep(int argc, char **argv, GError **error)
{
    return cmd_analysis(&sweep_analysis, argc, argv, error);
}

static int run_mrc(int argc, char **argv, GError **error)
{
    return cmd_analysis(&mrc_analysis, argc, argv, error);
}

static int run_tlb(int argc, char **argv, GError **error)
{
    return cmd_analysis(&tlb_analysis, argc, argv, error);
}

static int run_heatmap(int argc, char **argv, GError **error)
{
    return cmd_analysis(&heatmap_analysis, argc, argv, error);
}

static int run_sharing(int argc, char **argv, GError **error)
{
    return cmd_analysis(&sharing_analysis, argc, argv, error);
}

static int run_reuse(int argc, char **argv, GError **error)
{
    return cmd_analysis(&reuse_analysis, argc, argv, error);
}

static int run_wss(int argc, char **argv, GError **error)
{
    return cmd_analysis(&wss_analysis, argc, argv, error);
}

static const CmdVerb verbs[] = {
    { "run", cmd_run, "trace a program of this machine, and sum up its accesses" },
    { "record", cmd_record, "trace a program of this machine into a trace file" },
    { "info", cmd_info, "tell what a trace file holds" },
    { "tasks", cmd_tasks, "list the processes of a trace, and what they had mapped" },
    { "objects", cmd_objects, "list what the processes of a trace had in memory" },
    { "stat", run_stat, "count accesses, pages, strides, and who made most" },
    { "cache", run_cache, "simulate caches: hits, misses, and who misses most" },
    { "sweep", run_sweep, "count the misses of many sizes and ways of one cache" },
    { "tlb", run_tlb, "simulate data TLBs: hits, walks, and who causes most" },
    { "mrc", run_mrc, "compute miss-ratio curves: the misses of an LRU cache of each size" },
    { "heatmap", run_heatmap, "draw which memory was accessed when" },
    { "sharing", run_sharing, "find lines that vCPUs share, truly or falsely" },
    { "reuse", run_reuse, "tell how soon memory is used again, and by which strides" },
    { "wss", run_wss, "tell the working set over time" },
    { "analyze", cmd_analyze, "let several analyses, or your own, go through a trace" },
    { "dump", cmd_dump, "print the records of a trace" },
    { "check", cmd_check, "tell whether a trace is a good one" },
    { "recover", cmd_recover, "make a damaged trace file readable again" },
    { "cut", cmd_cut, "write a part of a trace into a new file" },
    { "merge", cmd_merge, "write several traces into one" },
    { "convert", cmd_convert, "write a trace in another tool's format" },
    { "image", cmd_image, "make guests, and tell what is in them" },
    { "ctl", cmd_ctl, "switch the tracing of a running QEMU" },
};

char *cmd_describe_verbs(const CmdVerb *table, size_t count, const char *format)
{
    GString *text = g_string_new(NULL);

    for (size_t i = 0; i < count; i++)
        g_string_append_printf(text, format, table[i].name, table[i].summary);
    return g_string_free(text, FALSE);
}

char *cmd_describe_all_verbs(void)
{
    return cmd_describe_verbs(verbs, G_N_ELEMENTS(verbs), "  %-10s %s\n");
}

char *cmd_verb_names(void)
{
    GString *text = g_string_new(NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(verbs); i++)
        g_string_append_printf(text, "%s%s", i ? ", " : "", verbs[i].name);
    return g_string_free(text, FALSE);
}

/* For the completion, which is generated: see scripts/make_completion. */
bool cmd_print_verbs(int argc, char **argv, const CmdVerb *table, size_t count)
{
    g_autofree char *text = cmd_describe_verbs(table, count, "%s\t%s\n");

    if (argc != 2 || strcmp(argv[1], "--print-verbs"))
        return false;
    fputs(text, stdout);
    return true;
}

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

/* The analysis, if the program was called by a name like memory_tracer-stat; else NULL. */
static const AnalysisType *called_as_tool(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

    return g_str_has_prefix(name, TOOL_PREFIX) ? analysis_find_type(name + strlen(TOOL_PREFIX)) : NULL;
}

/* Says which verbs there are. Returns -1. */
static int fail_without_verb(int argc, char **argv, GError **error)
{
    g_autofree char *names = cmd_verb_names();

    if (argc == 1)
        mt_fail_usage(error, "a verb is needed: %s (see --help)", names);
    else
        mt_fail_usage(error, "unknown verb '%s': it must be one of %s (see --help)", argv[1], names);
    return -1;
}

int main(int argc, char **argv)
{
    const AnalysisType *tool = argc ? called_as_tool(argv[0]) : NULL;
    GError *error = NULL;
    int status = -1;

    cmd_set_up_process();
    setlocale(LC_ALL, "");
    if (tool) {
        status = cmd_tool(tool, argc, argv, &error);
        goto done;
    }
    if (argc > 1 && !strcmp(argv[1], "--version")) {
        puts("memory_tracer " MEMORY_TRACER_VERSION);
        return 0;
    }
    if (cmd_print_verbs(argc, argv, verbs, G_N_ELEMENTS(verbs)))
        return 0;
    accept_help(&argc, argv);
    for (guint i = 0; i < G_N_ELEMENTS(verbs); i++) {
        if (argc > 1 && !strcmp(argv[1], verbs[i].name)) {
            g_autofree char *name = g_strdup_printf("memory_tracer %s", verbs[i].name);

            g_set_prgname(name);
            status = verbs[i].run(argc - 1, argv + 1, &error);
            goto done;
        }
    }
    if (argc == 1 || (is_meant_as_verb(argv[1]) && !g_file_test(argv[1], G_FILE_TEST_EXISTS)))
        status = fail_without_verb(argc, argv, &error);
    else
        status = cmd_trace(argc, argv, &error);
done:
    return cmd_exit_status(status, error);
}
