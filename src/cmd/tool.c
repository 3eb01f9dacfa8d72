/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_tracer-stat and the like: an analysis as an analysis tool (doc/protocols.md), for --analysis_tool_path. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../analysis/analysis.h"
#include "../protocol/words.h"
#include "cmd.h"

typedef struct {
    GMutex mutex; /* protects the analysis */
    Analysis *analysis;
} Tool;

/* With the mutex held. */
static void print_output(Tool *tool)
{
    g_autoptr(Report) report = report_new();
    g_autofree char *text = NULL;

    analysis_describe(tool->analysis, report);
    text = report_as_text(report);
    printf("%s\n%s%s\n", WORDS_BEGIN_OUTPUT, text, WORDS_END_OUTPUT);
}

/* SIGUSR1 comes when all records have been taken. The reading thread may then be waiting for more, which never come: so
 * this thread prints the output and ends the process. */
static gpointer wait_for_signal(gpointer data)
{
    Tool *tool = data;
    sigset_t wanted;
    int number;

    sigemptyset(&wanted);
    sigaddset(&wanted, SIGUSR1);
    if (!sigwait(&wanted, &number)) {
        g_mutex_lock(&tool->mutex);
        print_output(tool);
        _exit(cmd_exit_status(0, NULL));
    }
    return NULL;
}

static bool read_all(Tool *tool, const char *path, unsigned columns, GError **error)
{
    struct mt_error problem = { "" };
    mt_trace *trace = mt_trace_open(path, MT_FORMAT_AUTO, &problem);
    mt_reader *reader = trace ? mt_reader_new(trace, columns, &problem) : NULL;
    const struct mt_batch *batch;
    bool fine = true;

    while (fine && reader && (batch = mt_reader_next(reader, &problem))) {
        g_mutex_lock(&tool->mutex);
        fine = analysis_add(tool->analysis, batch, error);
        g_mutex_unlock(&tool->mutex);
    }
    mt_reader_free(reader);
    mt_trace_close(trace);
    return fine && (!*problem.message || mt_fail(error, "%s", problem.message));
}

int cmd_tool(const AnalysisType *type, int argc, char **argv, GError **error)
{
    g_autoptr(AnalysisRequest) request = analysis_request_new(type);
    g_autoptr(Context) context = context_new(NULL);
    Tool tool = { .analysis = analysis_new(request, context, error) };
    sigset_t blocked;

    if (!tool.analysis)
        return -1;
    if (argc < 2 || *argv[1] == '-') {
        mt_fail_usage(error,
                      "this is an analysis tool, for --analysis_tool_path: FIFO [WORD...] (by hand: memory_tracer %s)",
                      type->name);
        analysis_free(tool.analysis);
        return -1;
    }
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &blocked, NULL);
    puts(WORDS_READY_TO_ANALYZE);
    if (fflush(stdout)) {
        mt_fail(error, "can't write to standard output: %s", g_strerror(errno));
        analysis_free(tool.analysis);
        return -1;
    }
    g_mutex_init(&tool.mutex);
    g_thread_unref(g_thread_new("signal", wait_for_signal, &tool));
    if (!read_all(&tool, argv[1], analysis_request_columns(request), error))
        return -1;
    g_mutex_lock(&tool.mutex); /* the other thread must not begin now */
    print_output(&tool);
    exit(cmd_exit_status(0, NULL));
}
