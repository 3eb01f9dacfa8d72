/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The analysis tool: see tool.h. */
#include "tool.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/child.h"
#include "../protocol/words.h"

#define DISMISS_S 2
#define LINE_BYTES 4096
#define WHITE_SPACE " \t\r\n\v\f"
/* A tool that has read an empty FIFO this often only polls it. */
#define POLLING_READS 1000

static const char *const before_ready[] = { WORDS_READY_TO_ANALYZE, NULL };
static const char *const before_output[] = { WORDS_BEGIN_OUTPUT, NULL };
static const char *const in_output[] = { WORDS_END_OUTPUT, NULL };

struct Tool {
    RunLoop *loop;
    Child *child;
    char *path;
    Words words; /* what it says; `expected` tells how far it is */
    bool asked, complete, dismissed;
    GString *output;
    GString *line;          /* of what it prints besides, unfinished; with --verbose */
    uint64_t last_activity; /* CPU time of all its threads, ns, when tool_is_idle() was called last */
    bool was_busy;          /* tool_is_busy() was called since */
    uint64_t reads;         /* that it had made when the FIFO was first found empty */
};

static void on_text(void *data, const char *bytes, size_t length)
{
    Tool *tool = data;

    if (tool->words.expected == in_output) {
        g_string_append_len(tool->output, bytes, (gssize)length);
        return;
    }
    for (size_t i = 0; i < length; i++)
        if (bytes[i] == '\n') {
            run_loop_verbose(tool->loop, "analysis tool: %s", tool->line->str);
            g_string_truncate(tool->line, 0);
        } else if (bytes[i] && tool->line->len < LINE_BYTES) {
            g_string_append_c(tool->line, bytes[i]);
        }
}

static void on_word(void *data, const char *word)
{
    Tool *tool = data;

    if (word == before_ready[0]) {
        tool->words.expected = before_output;
    } else if (word == before_output[0]) {
        tool->words.expected = in_output;
    } else {
        tool->words.expected = NULL;
        tool->complete = true;
    }
}

static void on_stdout(void *data, const char *bytes, gsize length)
{
    words_feed(&((Tool *)data)->words, bytes, length);
}

static void on_stderr(void *data, const char *line)
{
    g_autofree char *whole = g_strconcat(line, "\n", NULL);

    run_loop_print_error(((Tool *)data)->loop, whole, strlen(whole));
}

static void on_end(void *data, const char *how)
{
    Tool *tool = data;
    const char *when = tool->words.expected == before_ready ? "before it printed \"" WORDS_READY_TO_ANALYZE "\""
                       : tool->words.expected == in_output  ? "before it printed \"" WORDS_END_OUTPUT "\""
                       : tool->asked ? "when it was asked for its output (by SIGUSR1), before it printed any"
                                     : "before it was asked for its output";

    if (!tool->complete && !tool->dismissed)
        run_loop_fail(tool->loop,
                      g_error_new(MT_ERROR, MT_ERROR_FAILED, "the analysis tool %s %s %s", tool->path, how, when));
}

/* The words of the info, as arguments. */
static void add_words(GPtrArray *argv, const char *info)
{
    for (const char *end; info && *(info += strspn(info, WHITE_SPACE)); info = end) {
        end = info + strcspn(info, WHITE_SPACE);
        g_ptr_array_add(argv, g_strndup(info, (gsize)(end - info)));
    }
}

Tool *tool_start(const char *path, const char *fifo_path, const char *info, RunLoop *loop, GError **error)
{
    g_autoptr(Tool) tool = g_new0(Tool, 1);
    g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
    const ChildHandlers handlers = {
        .stdout_bytes = on_stdout, .stderr_line = on_stderr, .ended = on_end, .data = tool, .callers_limits = true
    };
    g_autoptr(GError) problem = NULL;

    tool->loop = loop;
    tool->path = g_strdup(path);
    tool->output = g_string_new(NULL);
    tool->line = g_string_new(NULL);
    tool->words = (Words){ .expected = before_ready, .text = on_text, .word = on_word, .data = tool };
    g_ptr_array_add(argv, g_canonicalize_filename(path, NULL));
    g_ptr_array_add(argv, g_strdup(fifo_path));
    add_words(argv, info);
    g_ptr_array_add(argv, NULL);
    tool->child = child_start((const char *const *)argv->pdata, NULL, &handlers, &problem);
    if (tool->child)
        return g_steal_pointer(&tool);
    if (g_error_matches(problem, G_SPAWN_ERROR, G_SPAWN_ERROR_TOO_BIG))
        mt_fail(error,
                "the workload info (%" G_GSIZE_FORMAT " bytes, %u words) is longer than what a program can be given as "
                "arguments: the analysis tool %s can't be started with it",
                strlen(info), argv->len - 3, path);
    else
        mt_fail(error, "can't start the analysis tool %s: %s", path, problem->message);
    return NULL;
}

void tool_free(Tool *tool)
{
    if (!tool)
        return;
    child_free(tool->child);
    g_string_free(tool->output, TRUE);
    g_string_free(tool->line, TRUE);
    g_free(tool->path);
    g_free(tool);
}

bool tool_is_ready(void *tool)
{
    return ((Tool *)tool)->words.expected != before_ready;
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

/* How many times it has called read() and the like so far. */
static uint64_t count_reads(const Tool *tool)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/io", child_pid(tool->child)), *text = NULL;
    const char *at = g_file_get_contents(path, &text, NULL, NULL) ? strstr(text, "syscr: ") : NULL;

    return at ? g_ascii_strtoull(at + strlen("syscr: "), NULL, 10) : 0;
}

bool tool_is_idle(Tool *tool)
{
    uint64_t activity_ns = 0, reads = count_reads(tool);
    bool sleeping = sum_activity(child_pid(tool->child), &activity_ns);
    bool unchanged = activity_ns == tool->last_activity;

    tool->last_activity = activity_ns;
    if (tool->was_busy)
        tool->reads = reads;
    tool->was_busy = false;
    return (sleeping && unchanged) || reads - tool->reads >= POLLING_READS;
}

void tool_is_busy(Tool *tool)
{
    tool->was_busy = true;
}

void tool_request_output(Tool *tool)
{
    tool->asked = true;
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
