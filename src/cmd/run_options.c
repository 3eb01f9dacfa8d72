/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options of every verb that runs a workload: see run_options.h. */
#include "run_options.h"

#include <stdio.h>
#include <string.h>

#include "../base/printable.h"
#include "../context/missing_code.h"
#include "cmd.h"

#define MISSING_SHOWN 5

GOptionEntry *run_options_entries(RunOptions *options, const GOptionEntry *own)
{
    const GOptionEntry common[] = {
        { "log_of_GMBE_block_len", 0, 0, G_OPTION_ARG_INT, &options->log_block_len,
          "Sampling: trace blocks of 2^N consecutive accesses (default: 0)", "N" },
        { "log_of_GMBE_tracing_ratio", 0, 0, G_OPTION_ARG_INT, &options->log_tracing_ratio,
          "Sampling: trace one block of 2^N (default: 0, all)", "N" },
        { "sample-seed", 0, 0, G_OPTION_ARG_STRING, &options->sample_seed,
          "Sampling: trace a pseudo-random block of each 2^N, not the first one", "SEED" },
        { "roi", 0, 0, G_OPTION_ARG_NONE, &options->roi,
          "Trace only the regions of interest that the workload marks (memory_tracer/roi.h)", NULL },
        { "strict-order", 0, 0, G_OPTION_ARG_NONE, &options->strict_order,
          "Several vCPUs: run them in one thread, so that the order of all accesses is exact", NULL },
        { "icount", 0, 0, G_OPTION_ARG_NONE, &options->icount,
          "Let the guest's time go by the instructions that it executes, so that tracing doesn't distort it", NULL },
        { "when-full", 0, 0, G_OPTION_ARG_STRING, &options->when_full,
          "When the reader is too slow: block the guest (lossless, the default), or drop records and count them",
          "block|drop" },
        { "record-format", 0, 0, G_OPTION_ARG_STRING, &options->record_format,
          "What is written into a FIFO: 16-byte records (gmbeoo, the default), or 8-byte ones (compact)",
          "gmbeoo|compact" },
        { "workload_dir_path", 0, 0, G_OPTION_ARG_FILENAME, &options->folder,
          "Copy this folder into the home of the workload's user in the guest, as qemu_mem_tracer_workload", "DIR" },
        { "timeout", 0, 0, G_OPTION_ARG_INT, &options->timeout_s,
          "Stop the workload after so much of the guest's time; what was traced until then is fine", "SECONDS" },
        { "wait-timeout", 0, 0, G_OPTION_ARG_INT, &options->wait_timeout_s,
          "Give up when the workload, a reader or the tool keeps us waiting so long (default: 600; 0: never)",
          "SECONDS" },
        { "verbose", 'v', 0, G_OPTION_ARG_NONE, &options->verbose, "Tell on stderr what is being done", NULL },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };

    return options_join(own, common);
}

static bool check_log(const char *name, int value, GError **error)
{
    return (value >= 0 && value <= 64) ||
           mt_fail_usage(error, "%s must be in range [0, 64], but %d isn't.", name, value);
}

static bool check_not_negative(const char *name, int value, GError **error)
{
    return value >= 0 || mt_fail_usage(error, "%s can't be negative, but %d is.", name, value);
}

/* Which of two words `value` is; the first one is the default. */
static bool parse_choice(const char *name, const char *value, const char *first, const char *second, bool *is_second,
                         GError **error)
{
    *is_second = !g_strcmp0(value, second);
    return !value || *is_second || !strcmp(value, first) ||
           mt_fail_usage(error, "%s must be %s or %s, but %s isn't.", name, first, second, value);
}

bool run_options_apply(const RunOptions *options, SessionOptions *session, GError **error)
{
    CaptureOptions *capture = &session->capture;
    int sum = options->log_block_len + options->log_tracing_ratio;

    if (!check_log("--log_of_GMBE_block_len", options->log_block_len, error) ||
        !check_log("--log_of_GMBE_tracing_ratio", options->log_tracing_ratio, error) ||
        !check_not_negative("--wait-timeout", options->wait_timeout_s, error))
        return false;
    if (sum > 64)
        return mt_fail_usage(
            error,
            "--log_of_GMBE_block_len + --log_of_GMBE_tracing_ratio must be in range [0, 64], but %d + %d = "
            "%d isn't.",
            options->log_block_len, options->log_tracing_ratio, sum);
    if (options->timeout_s < 0 || options->timeout_s > G_MAXINT / 1000)
        return mt_fail_usage(error, "--timeout must be in range [0, %d], but %d isn't.", G_MAXINT / 1000,
                             options->timeout_s);
    if (options->timeout_s && session->workload.speaks)
        return mt_fail_usage(error, "--timeout and --dont_add_communications_with_host_to_workload can't both be used");
    if (options->sample_seed &&
        !g_ascii_string_to_unsigned(options->sample_seed, 10, 0, G_MAXUINT64, &capture->sample_seed, NULL))
        return mt_fail_usage(error, "--sample-seed must be in range [0, 2^64 - 1], but %s isn't.",
                             options->sample_seed);
    if (!parse_choice("--when-full", options->when_full, "block", "drop", &capture->drop_when_full, error) ||
        !parse_choice("--record-format", options->record_format, "gmbeoo", "compact", &session->destination.compact,
                      error))
        return false;
    if (options->record_format && session->destination.kind == DESTINATION_TRACE)
        return mt_fail_usage(error, "--record-format is for a FIFO: a trace file has a format of its own");
    if (options->folder && session->native)
        return mt_fail_usage(error, "--workload_dir_path is for a guest: without one, the files are where they are");

    capture->log_block_len = (unsigned)options->log_block_len;
    capture->log_tracing_ratio = (unsigned)options->log_tracing_ratio;
    capture->seeded = options->sample_seed;
    capture->roi = options->roi;
    capture->strict_order = options->strict_order;
    session->icount = options->icount;
    session->workload.folder = options->folder;
    session->workload.timeout_s = (unsigned)options->timeout_s;
    session->workload.wait_timeout_s = (unsigned)options->wait_timeout_s;
    session->destination.wait_timeout_s = (unsigned)options->wait_timeout_s;
    session->verbose = options->verbose;
    return true;
}

bool run_options_parse_fields(const char *list, unsigned *fields, GError **error)
{
    static const struct {
        const char *name;
        unsigned fields;
    } known[] = {
        { "pc", MT_FIELD_INSTRUCTION },
        { "paddr", MT_FIELD_PADDR | MT_FIELD_PAGE_SIZE },
        { "value", MT_FIELD_VALUE },
        { "time", MT_FIELD_TIME },
        { "task", MT_FIELD_TASK },
        { "no-task", 0 },
        { "all", MT_FIELD_PADDR | MT_FIELD_PAGE_SIZE | MT_FIELD_VALUE | MT_FIELD_TIME },
    };
    g_auto(GStrv) words = g_strsplit(list ? list : "pc", ",", -1);

    *fields = MT_FIELD_INSTRUCTION |
              MT_FIELD_TASK; /* a file with them is smaller than one without, and takes less time to write */
    for (char **word = words; *word; word++) {
        guint i = 0;

        while (i < G_N_ELEMENTS(known) && strcmp(*word, known[i].name))
            i++;
        if (i == G_N_ELEMENTS(known))
            return mt_fail_usage(
                error, "--fields must be of pc, paddr, value, time, task, no-task and all, but %s isn't.", *word);
        *fields |= known[i].fields;
        if (!known[i].fields)
            *fields &= ~(unsigned)MT_FIELD_TASK;
    }
    return true;
}

void run_options_clear(RunOptions *options)
{
    g_free(options->sample_seed);
    g_free(options->when_full);
    g_free(options->record_format);
    g_free(options->folder);
}

static void G_GNUC_PRINTF(2, 3) add_warning(GPtrArray *warnings, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_ptr_array_add(warnings, g_strdup_vprintf(format, arguments));
    va_end(arguments);
}

/* A line for each reason. Paths are the guest's bytes. */
static void add_missing_code(GPtrArray *warnings, const GPtrArray *missing)
{
    for (unsigned reason = 0; missing && reason < MISSING_REASONS; reason++) {
        g_autoptr(GString) paths = g_string_new(NULL);
        guint count = 0;

        for (guint i = 0; i < missing->len; i++) {
            const MissingCode *file = missing->pdata[i];
            g_autofree char *path = text_make_printable(file->path);

            if (file->reason == reason && ++count <= MISSING_SHOWN)
                g_string_append_printf(paths, "%s%s", count > 1 ? ", " : "", path);
        }
        if (count > MISSING_SHOWN)
            g_string_append_printf(paths, " and %u more (memory_tracer info has all)", count - MISSING_SHOWN);
        if (count)
            add_warning(warnings, "the trace has no names for the code of %s: %s", paths->str,
                        missing_code_explain((MissingReason)reason));
    }
}

static void add_left_out(GPtrArray *warnings, const GPtrArray *paths)
{
    for (guint i = 0; paths && i < paths->len; i++) {
        g_autofree char *path = text_make_printable(paths->pdata[i]);

        add_warning(warnings, "there is no room in the trace for the debug information of %s", path);
    }
}

/* What was asked for by names that nothing has. */
static void add_unknown_names(GPtrArray *warnings, const LiveAnalyses *analyses)
{
    g_autoptr(GPtrArray) lines = analyses ? live_analyses_list_unknown(analyses) : NULL;

    for (guint i = 0; lines && i < lines->len; i++)
        add_warning(warnings, "%s", (const char *)lines->pdata[i]);
}

GStrv run_options_warnings(const SessionOptions *session, const SessionResult *result)
{
    bool traced = session->destination.kind != DESTINATION_NONE && session->destination.kind != DESTINATION_IDLE;
    GPtrArray *warnings = g_ptr_array_new();

    if (result->counts.dropped)
        add_warning(warnings, "ATTENTION: %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " records were dropped",
                    result->counts.dropped, result->counts.events - result->counts.skipped);
    if (result->timed_out)
        add_warning(warnings, "the workload was stopped after %u s", session->workload.timeout_s);
    if (traced && session->capture.roi && !result->regions)
        add_warning(warnings, "the workload has marked no region of interest, so nothing was traced");
    if (result->open_regions)
        add_warning(warnings,
                    "ATTENTION: regions of interest that have begun and not ended: %" G_GUINT64_FORMAT
                    " (was a process killed inside?): all that came after them was traced",
                    result->open_regions);
    if (result->lost_changes)
        add_warning(warnings,
                    "ATTENTION: there were more changes of tasks and of what they map than there is room for: "
                    "%" G_GUINT64_FORMAT " are missing, so tasks may be unknown or have wrong names",
                    result->lost_changes);
    if (result->ignored_markers)
        add_warning(warnings,
                    "the workload has executed %" G_GUINT64_FORMAT
                    " start or stop markers of its own, which memory_tracer ignores: mark regions with "
                    "MEMORY_TRACER_ROI_BEGIN and _END, and --roi",
                    result->ignored_markers);
    if (result->files_dropped)
        add_warning(
            warnings,
            "files that the workload has changed, made or removed, which stay as they were here: %" G_GUINT64_FORMAT
            " (--rw DIR keeps what is done to a folder)",
            result->files_dropped);
    add_missing_code(warnings, result->missing_code);
    add_left_out(warnings, result->debug_left_out);
    add_unknown_names(warnings, result->analyses);
    if (result->disk_is_full)
        add_warning(warnings,
                    "ATTENTION: the guest's disk is full, so not all could be written: let the workload write "
                    "into a folder of this machine (--rw DIR), or make a guest with a larger disk "
                    "(memory_tracer image build --disk)");
    g_ptr_array_add(warnings, NULL);
    return (GStrv)g_ptr_array_free(warnings, FALSE);
}

void run_options_append_warnings(GString *text, const SessionOptions *session, const SessionResult *result)
{
    g_auto(GStrv) warnings = run_options_warnings(session, result);

    for (char **warning = warnings; *warning; warning++)
        g_string_append_printf(text, "memory_tracer: %s\n", *warning);
}
