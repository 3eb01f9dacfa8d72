/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verbs of memory_tracer: one file each. */
#ifndef MEMORY_TRACER_CMD_CMD_H
#define MEMORY_TRACER_CMD_CMD_H

#include <glib.h>
#include <stdbool.h>

#include "../analysis/analysis.h"
#include "../base/error.h"
#include "../base/options.h"
#include "../run/session.h"

#define DEFAULT_QEMU "qemu-system-x86_64"

typedef struct CmdVerb {
    const char *name;
    int (*run)(int argc, char **argv, GError **error);
    const char *summary;
} CmdVerb;

/* The table as text: `format` takes a name and a summary. To be freed. */
char *cmd_describe_verbs(const CmdVerb *table, size_t count, const char *format);
/* Prints the table if the command line is only `--print-verbs`, and returns whether it is. */
bool cmd_print_verbs(int argc, char **argv, const CmdVerb *table, size_t count);

/* Each takes its arguments (argv[0] is the verb) and returns the exit status, or -1 with an error. */
int cmd_trace(int argc, char **argv, GError **error);
int cmd_run(int argc, char **argv, GError **error);
int cmd_record(int argc, char **argv, GError **error);
int cmd_info(int argc, char **argv, GError **error);
int cmd_tasks(int argc, char **argv, GError **error);
int cmd_objects(int argc, char **argv, GError **error);
int cmd_dump(int argc, char **argv, GError **error);
int cmd_check(int argc, char **argv, GError **error);
int cmd_recover(int argc, char **argv, GError **error);
int cmd_cut(int argc, char **argv, GError **error);
int cmd_merge(int argc, char **argv, GError **error);
int cmd_convert(int argc, char **argv, GError **error);
int cmd_image(int argc, char **argv, GError **error);
int cmd_image_prepare(int argc, char **argv, GError **error);
int cmd_image_info(int argc, char **argv, GError **error);
int cmd_ctl(int argc, char **argv, GError **error);
int cmd_analyze(int argc, char **argv, GError **error);
/* The verb of an analysis that is built in. */
int cmd_analysis(const AnalysisType *type, int argc, char **argv, GError **error);

/* An analysis as an analysis tool: argv[1] is the FIFO. */
int cmd_tool(const AnalysisType *type, int argc, char **argv, GError **error);

/* Parses what options like --analyze have collected (NULL: nothing) and adds it to `requests` (AnalysisRequest). */
bool cmd_parse_analyses(char **words, GPtrArray *requests, GError **error);

/* memory_tracer's verbs: their names, for messages, and a line each with what they do, for --help. To be freed. */
char *cmd_verb_names(void);
char *cmd_describe_all_verbs(void);

/* Runs a workload and prints what both positional command lines print. Returns the exit status, or -1 with an error. */
int cmd_trace_and_print(const SessionOptions *options, bool trace_info, GError **error);

/* Appends what was counted, with the labels of --print_trace_info. */
void cmd_format_counts(GString *text, const RingCounts *counts);

/* Makes sure that the descriptors 0 to 2 are open, that writing too large a file is an error and not a signal, that
 * resource limits which are meant for the workload don't apply to us, and that exit() fails if standard output can't be
 * written to. To be called first. */
void cmd_set_up_process(void);

/* Writes results to standard output. Its buffer keeps the last ones: cmd_exit_status() tells whether they got there. */
bool cmd_print(const char *bytes, gsize length, GError **error);

/* The status that the process exits with. Prints and frees the error, if there is one; so it is an error if standard
 * output can't be written to. To be called last. */
int cmd_exit_status(int status, GError *error);

/* Checks the RAM and the vCPUs of a guest that is to be made. False with a usage error. */
bool cmd_check_machine(int ram_mb, int vcpus, GError **error);

#endif
