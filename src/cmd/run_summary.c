/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What memory_tracer run and record say in the end: see run_summary.h. The number of accesses is always exact. All
 * other figures are of the recorded accesses only. With sampling, these are a sample, whose shares may differ from the
 * run's (a few blocks of a million accesses may all lie in the kernel); so these figures are shown as the sample's.
 */
#include "run_summary.h"

#include "ending.h"
#include "run_options.h"

static double records_per_s(const SessionResult *result)
{
    return result->traced_ns ? (double)result->counts.written * 1e9 / (double)result->traced_ns : 0;
}

static uint64_t lost(const SessionResult *result)
{
    return result->counts.events - result->counts.skipped - result->counts.written;
}

/* Whether there are fewer records than accesses: because of sampling, or because records were dropped. */
static bool is_sample(const SessionOptions *options, const SessionResult *result)
{
    return options->capture.log_tracing_ratio || lost(result);
}

static double sample_share(const SessionResult *result)
{
    return result->counts.events ? (double)result->counts.written / (double)result->counts.events : 0;
}

static void add_bytes(Report *report, const SessionResult *result)
{
    report_add_count(report, "trace_bytes", "bytes in the file", result->trace_bytes);
    if (result->debug_bytes)
        report_add_count(report, "debug_bytes", "of these, debug information", result->debug_bytes);
    if (result->counts.written)
        report_add_real(report, NULL, "bytes per record", (double)result->trace_bytes / (double)result->counts.written,
                        3);
}

/* The results of the default analysis stand among the other figures; those of a requested one stand under its name. */
static void add_analyses(Report *report, const SessionOptions *options, const SessionResult *result)
{
    if (result->analyses)
        live_analyses_describe(result->analyses, report, options->destination.analyses_asked_for);
}

/* Figures that hold for the records, but not for the run, are in a section of their own, so that nobody takes them for
 * the run's. */
static void add_sample(Report *report, const SessionOptions *options, const SessionResult *result)
{
    const char *what = options->capture.log_tracing_ratio ? "the traced sample" : "not all accesses were recorded";
    g_autofree char *label =
        g_strdup_printf("%s: %'" G_GUINT64_FORMAT " records, %.4g %% of the accesses%s", what, result->counts.written,
                        100 * sample_share(result), result->analyses ? "; of these alone, not of the whole run:" : "");
    Report *sample = report_add_section(report, "sample", label);

    report_add_count(sample, "records", NULL, result->counts.written);
    report_add_real(sample, "share_of_accesses", NULL, sample_share(result), 6);
    add_analyses(sample, options, result);
}

static void add_accesses(Report *report, const SessionOptions *options, const SessionResult *result)
{
    DestinationKind kind = options->destination.kind;
    bool traced = kind != DESTINATION_IDLE, sample = traced && is_sample(options, result);

    report_add_count(report, "accesses", traced ? "accesses" : NULL, result->counts.events);
    report_add_count(report, "records_written", NULL, result->counts.written);
    report_add_count(report, "accesses_skipped", NULL, result->counts.skipped);
    if (kind == DESTINATION_TRACE)
        add_bytes(report, result);
    if (!sample && !options->destination.analyses_asked_for)
        add_analyses(report, options, result);
    report_add_real(report, "records_per_second", traced ? "records per second" : NULL, records_per_s(result), 0);
    report_add_count(report, "records_lost", traced ? "lost records" : NULL, lost(result));
    if (sample)
        add_sample(report, options, result);
    else if (options->destination.analyses_asked_for)
        add_analyses(report, options, result);
}

/* The lines that the summary for people ends with: JSON has them, too. */
static void add_warnings(Report *report, const SessionOptions *options, const SessionResult *result)
{
    g_auto(GStrv) warnings = run_options_warnings(options, result);
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);

    for (char **warning = warnings; *warning; warning++)
        g_ptr_array_add(lines, g_strdup(*warning));
    ending_add_lines(lines, options, result);
    g_ptr_array_add(lines, NULL);
    report_add_texts(report, "warnings", NULL, (const char *const *)lines->pdata);
}

static void add_ending(Report *report, const SessionOptions *options, const SessionResult *result)
{
    if (result->exited) {
        report_add_count(report, "exit_status", NULL, (uint64_t)result->status);
        report_add_count(report, "exit_signal", NULL, (uint64_t)result->signal);
        report_add_count(report, "out_of_memory", NULL, result->out_of_memory);
        if (options->workload.until)
            report_add_flag(report, "until_succeeded", NULL, result->until_succeeded);
    }
    if (result->ended_by)
        report_add_text(report, "ended_by", NULL, result->ended_by);
}

Report *run_summary_report(const SessionOptions *options, const SessionResult *result)
{
    Report *report = report_new();
    g_autofree char *title = g_strdup_printf("\nmemory_tracer: %.3f s traced%s%s", (double)result->traced_ns / 1e9,
                                             options->capture.user_only ? ", user code only" : "",
                                             result->ended_by ? ", until it was stopped" : "");

    report_set_title(report, title);
    report_add_count(report, "traced_ns", NULL, result->traced_ns);
    report_add_count(report, "guest_ns", NULL, result->guest_ns);
    add_ending(report, options, result);
    if (options->destination.kind != DESTINATION_NONE)
        add_accesses(report, options, result);
    if (options->workload.sees_host)
        report_add_count(report, "files_dropped", NULL, result->files_dropped);
    if (options->capture.roi)
        report_add_count(report, "regions", NULL, result->regions);
    add_warnings(report, options, result);
    return report;
}
