/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What memory_tracer run and record say in the end: see run_summary.h. Accesses are counted exactly, always. What they
 * were is known of those that were recorded: with sampling, that is a sample, and its shares need not be the run's. (A
 * few blocks of a million accesses may all lie in the kernel.) So they are shown as the sample's.
 */
#include "run_summary.h"

#include <json-glib/json-glib.h>

#include "ending.h"
#include "run_options.h"

static void append_row(GString *text, const char *label, uint64_t count, uint64_t total)
{
    g_string_append_printf(text, "  %-24s %'18" G_GUINT64_FORMAT, label, count);
    if (total)
        g_string_append_printf(text, "  %5.1f %%", 100.0 * (double)count / (double)total);
    g_string_append_c(text, '\n');
}

static double records_per_s(const SessionResult *result)
{
    return result->traced_ns ? (double)result->counts.written * 1e9 / (double)result->traced_ns : 0;
}

static uint64_t lost(const SessionResult *result)
{
    return result->counts.events - result->counts.skipped - result->counts.written;
}

/* Whether the records are fewer than the accesses: by sampling, or as a slow reader made us drop some. */
static bool is_sample(const SessionOptions *options, const SessionResult *result)
{
    return options->capture.log_tracing_ratio || lost(result);
}

static double sample_share(const SessionResult *result)
{
    return result->counts.events ? (double)result->counts.written / (double)result->counts.events : 0;
}

static void append_footprint(GString *text, const FootprintResult *footprint)
{
    append_row(text, "loads", footprint->loads, footprint->accesses);
    append_row(text, "stores", footprint->stores, footprint->accesses);
    append_row(text, "by the kernel", footprint->kernel, footprint->accesses);
    append_row(text, "by user code", footprint->user, footprint->accesses);
    for (int shift = 0; shift < 8; shift++) {
        g_autofree char *label = g_strdup_printf("of %d byte%s", 1 << shift, shift ? "s" : "");

        if (footprint->by_size_shift[shift])
            append_row(text, label, footprint->by_size_shift[shift], footprint->accesses);
    }
    append_row(text, "distinct 64-byte lines", footprint->lines, 0);
    append_row(text, "distinct 4-KiB pages", footprint->pages, 0);
}

static void append_bytes(GString *text, const SessionResult *result)
{
    append_row(text, "bytes in the file", result->trace_bytes, 0);
    if (result->counts.written)
        g_string_append_printf(text, "  %-24s %18.3f\n", "bytes per record",
                               (double)result->trace_bytes / (double)result->counts.written);
}

static void append_accesses(GString *text, const SessionOptions *options, const SessionResult *result)
{
    bool footprint = options->destination.kind == DESTINATION_FOOTPRINT;

    append_row(text, "accesses", result->counts.events, 0);
    if (options->destination.kind == DESTINATION_TRACE)
        append_bytes(text, result);
    if (footprint && !is_sample(options, result))
        append_footprint(text, &result->footprint);
    append_row(text, "records per second", (uint64_t)records_per_s(result), 0);
    append_row(text, "lost records", lost(result), 0);
    if (is_sample(options, result)) {
        g_string_append_printf(text, "%s %'" G_GUINT64_FORMAT " records, %.4g %% of the accesses%s\n",
                               options->capture.log_tracing_ratio ? "the traced sample:"
                                                                  : "not all accesses were recorded:",
                               result->counts.written, 100 * sample_share(result),
                               footprint ? "; of these alone, not of the whole run:" : "");
        if (footprint)
            append_footprint(text, &result->footprint);
    }
}

void run_summary_append(GString *text, const SessionOptions *options, const SessionResult *result)
{
    g_string_append_printf(text, "\nmemory_tracer: %.3f s traced%s%s\n", (double)result->traced_ns / 1e9,
                           options->capture.user_only ? ", user code only" : "",
                           result->ended_by ? ", until it was stopped" : "");
    if (options->destination.kind != DESTINATION_NONE && options->destination.kind != DESTINATION_IDLE)
        append_accesses(text, options, result);
    run_options_append_warnings(text, options, result);
}

static void add_footprint(JsonObject *to, const FootprintResult *footprint)
{
    JsonObject *by_bytes = json_object_new();

    for (int shift = 0; shift < 8; shift++) {
        g_autofree char *bytes = g_strdup_printf("%d", 1 << shift);

        if (footprint->by_size_shift[shift])
            json_object_set_int_member(by_bytes, bytes, (gint64)footprint->by_size_shift[shift]);
    }
    json_object_set_int_member(to, "loads", (gint64)footprint->loads);
    json_object_set_int_member(to, "stores", (gint64)footprint->stores);
    json_object_set_int_member(to, "kernel", (gint64)footprint->kernel);
    json_object_set_int_member(to, "user", (gint64)footprint->user);
    json_object_set_object_member(to, "accesses_by_bytes", by_bytes);
    json_object_set_int_member(to, "distinct_64_byte_lines", (gint64)footprint->lines);
    json_object_set_int_member(to, "distinct_4_KiB_pages", (gint64)footprint->pages);
}

static void add_counts(JsonObject *summary, const SessionResult *result)
{
    json_object_set_int_member(summary, "accesses", (gint64)result->counts.events);
    json_object_set_int_member(summary, "records_written", (gint64)result->counts.written);
    json_object_set_int_member(summary, "accesses_skipped", (gint64)result->counts.skipped);
    json_object_set_int_member(summary, "records_lost", (gint64)lost(result));
    json_object_set_double_member(summary, "records_per_second", records_per_s(result));
}

/* What holds for the records, but not for the run, has a place of its own, so that no script takes it for the run's. */
static JsonObject *add_sample(JsonObject *summary, const SessionResult *result)
{
    JsonObject *sample = json_object_new();

    json_object_set_int_member(sample, "records", (gint64)result->counts.written);
    json_object_set_double_member(sample, "share_of_accesses", sample_share(result));
    json_object_set_object_member(summary, "sample", sample);
    return sample;
}

/* What the summary for people ends with: nothing of it is to be missed by those who read JSON. */
static void add_warnings(JsonObject *summary, const SessionOptions *options, const SessionResult *result)
{
    g_auto(GStrv) warnings = run_options_warnings(options, result);
    g_autoptr(GPtrArray) endings = g_ptr_array_new_with_free_func(g_free);
    JsonArray *array = json_array_new();

    ending_add_lines(endings, options, result);
    for (char **warning = warnings; *warning; warning++)
        json_array_add_string_element(array, *warning);
    for (guint i = 0; i < endings->len; i++)
        json_array_add_string_element(array, endings->pdata[i]);
    json_object_set_array_member(summary, "warnings", array);
}

char *run_summary_as_json(const SessionOptions *options, const SessionResult *result)
{
    DestinationKind kind = options->destination.kind;
    g_autoptr(JsonNode) root = json_node_new(JSON_NODE_OBJECT);
    JsonObject *summary = json_object_new(), *of_records = summary;

    json_node_take_object(root, summary);
    json_object_set_int_member(summary, "traced_ns", (gint64)result->traced_ns);
    json_object_set_int_member(summary, "guest_ns", (gint64)result->guest_ns);
    if (result->exited) {
        json_object_set_int_member(summary, "exit_status", result->status);
        json_object_set_int_member(summary, "exit_signal", result->signal);
        json_object_set_int_member(summary, "out_of_memory", result->out_of_memory);
        if (options->workload.until)
            json_object_set_boolean_member(summary, "until_succeeded", result->until_succeeded);
    }
    if (result->ended_by)
        json_object_set_string_member(summary, "ended_by", result->ended_by);
    if (kind != DESTINATION_NONE)
        add_counts(summary, result);
    if (options->workload.sees_host)
        json_object_set_int_member(summary, "files_dropped", (gint64)result->files_dropped);
    if (options->capture.roi)
        json_object_set_int_member(summary, "regions", (gint64)result->regions);
    add_warnings(summary, options, result);
    if (kind == DESTINATION_TRACE)
        json_object_set_int_member(summary, "trace_bytes", (gint64)result->trace_bytes);
    if (kind != DESTINATION_NONE && kind != DESTINATION_IDLE && is_sample(options, result))
        of_records = add_sample(summary, result);
    if (kind == DESTINATION_FOOTPRINT)
        add_footprint(of_records, &result->footprint);
    g_autofree char *line = json_to_string(root, FALSE);
    return g_strconcat(line, "\n", NULL);
}
