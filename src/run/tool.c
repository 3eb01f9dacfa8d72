/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The analysis tool: see tool.h. */
#include "tool.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "child.h"

#define READY_LINE "Ready to analyze"
#define BEGIN_LINE "-----begin analysis output-----"
#define END_LINE "-----end analysis output-----"
#define DISMISS_S 2

struct Tool {
    RunLoop *loop;
    Child *child;
    char *path;
    bool ready, in_output, complete, dismissed;
    GString *output;
    uint64_t last_activity; /* CPU time of all its threads, ns, when tool_is_idle() was called last */
};

static void on_stdout(void *data, const char *line)
{
    Tool *tool = data;
    g_autofree char *text = g_strchomp(g_strdup(line));

    if (!strcmp(text, BEGIN_LINE))
        tool->in_output = true;
    else if (!strcmp(text, END_LINE))
        tool->complete = tool->in_output;
    else if (tool->in_output && !tool->complete)
        g_string_append_printf(tool->output, "%s\n", line);
    else if (g_str_has_prefix(text, READY_LINE))
        tool->ready = true;
    else
        run_loop_verbose(tool->loop, "analysis tool: %s", line);
}

static void on_stderr(void *data, const char *line)
{
    Tool *tool = data;

    run_loop_clear_progress(tool->loop);
    fprintf(stderr, "%s\n", line);
}

static void on_end(void *data, const char *how)
{
    Tool *tool = data;
    const char *when = !tool->ready      ? "before it printed \"" READY_LINE "\""
                       : tool->in_output ? "before it printed \"" END_LINE "\""
                                         : "before it was asked for its output";

    if (!tool->complete && !tool->dismissed)
        run_loop_fail(tool->loop,
                      g_error_new(MT_ERROR, MT_ERROR_FAILED, "the analysis tool %s %s %s", tool->path, how, when));
}

Tool *tool_start(const char *path, const char *fifo_path, const char *info, RunLoop *loop, GError **error)
{
    g_autoptr(Tool) tool = g_new0(Tool, 1);
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_auto(GStrv) words = g_strsplit_set(info ? info : "", " \t\r\n\v\f", -1);
    g_autofree char *absolute = g_canonicalize_filename(path, NULL);
    const ChildHandlers handlers = {
        .stdout_line = on_stdout, .stderr_line = on_stderr, .ended = on_end, .data = tool
    };
    g_autoptr(GError) problem = NULL;

    tool->loop = loop;
    tool->path = g_strdup(path);
    tool->output = g_string_new(NULL);
    g_ptr_array_add(argv, absolute);
    g_ptr_array_add(argv, (char *)fifo_path);
    for (char **word = words; *word; word++)
        if (**word)
            g_ptr_array_add(argv, *word);
    g_ptr_array_add(argv, NULL);
    tool->child = child_start((const char *const *)argv->pdata, NULL, &handlers, &problem);
    if (!tool->child) {
        mt_fail(error, "can't start the analysis tool %s: %s", path, problem->message);
        return NULL;
    }
    return g_steal_pointer(&tool);
}

void tool_free(Tool *tool)
{
    if (!tool)
        return;
    child_free(tool->child);
    g_string_free(tool->output, TRUE);
    g_free(tool->path);
    g_free(tool);
}

bool tool_is_ready(void *tool)
{
    return ((Tool *)tool)->ready;
}

/*
 * Adds up the CPU time of a process's threads and, deeper, of the processes they have started. Returns false if one of
 * them is running or waits for a disk.
 */
static bool sum_activity(int pid, uint64_t *activity_ns)
{
    g_autofree char *tasks_path = g_strdup_printf("/proc/%d/task", pid);
    g_autoptr(GDir) tasks = g_dir_open(tasks_path, 0, NULL);
    bool sleeping = true;

    for (const char *task; tasks && (task = g_dir_read_name(tasks));) {
        g_autofree char *stat_path = g_build_filename(tasks_path, task, "stat", NULL);
        g_autofree char *time_path = g_build_filename(tasks_path, task, "schedstat", NULL);
        g_autofree char *children_path = g_build_filename(tasks_path, task, "children", NULL);
        g_autofree char *stat = NULL, *time = NULL, *children = NULL;
        const char *state;

        if (!g_file_get_contents(stat_path, &stat, NULL, NULL))
            continue;               /* it has just ended */
        state = strrchr(stat, ')'); /* the name before it may hold anything */
        if (state && strchr("RD", state[2]))
            sleeping = false;
        if (g_file_get_contents(time_path, &time, NULL, NULL))
            *activity_ns += g_ascii_strtoull(time, NULL, 10);
        if (g_file_get_contents(children_path, &children, NULL, NULL)) {
            g_auto(GStrv) pids = g_strsplit(children, " ", -1);

            for (char **child = pids; *child; child++)
                if (**child)
                    sleeping &= sum_activity(atoi(*child), activity_ns);
        }
    }
    return sleeping;
}

bool tool_is_idle(Tool *tool)
{
    uint64_t activity_ns = 0;
    bool sleeping = sum_activity(child_pid(tool->child), &activity_ns);
    bool unchanged = activity_ns == tool->last_activity;

    tool->last_activity = activity_ns;
    return sleeping && unchanged;
}

void tool_request_output(Tool *tool)
{
    child_signal(tool->child, SIGUSR1);
}

bool tool_has_output(void *tool)
{
    return ((Tool *)tool)->complete;
}

const char *tool_output(const Tool *tool)
{
    return tool->output->str;
}

void tool_dismiss(Tool *tool)
{
    tool->dismissed = true;
    child_wait(tool->child, DISMISS_S);
    if (!child_has_ended(tool->child))
        child_signal(tool->child, SIGTERM);
}
