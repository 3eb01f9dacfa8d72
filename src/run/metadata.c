/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a trace file says of its run: see metadata.h. The members are documented in memory_tracer-record(1). */
#include "metadata.h"

#include <sys/utsname.h>

static void add_string(JsonBuilder *builder, const char *name, const char *value)
{
    g_autofree char *text = g_utf8_make_valid(value, -1); /* JSON is UTF-8, names of files may be anything */

    json_builder_set_member_name(builder, name);
    json_builder_add_string_value(builder, text);
}

static void add_number(JsonBuilder *builder, const char *name, uint64_t value)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_int_value(builder, (gint64)value);
}

static void add_bool(JsonBuilder *builder, const char *name, bool value)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_boolean_value(builder, value);
}

static char *finish(JsonBuilder *builder)
{
    g_autoptr(JsonGenerator) generator = json_generator_new();
    g_autoptr(JsonNode) root = NULL;

    json_builder_end_object(builder);
    root = json_builder_get_root(builder);
    json_generator_set_root(generator, root);
    return json_generator_to_data(generator, NULL);
}

char *metadata_of_run(const SessionOptions *options, const char *snapshot, const ImageMachine *machine,
                      const char *qemu_version)
{
    const CaptureOptions *capture = &options->capture;
    g_autoptr(JsonBuilder) builder = json_builder_new();
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autofree char *when = g_date_time_format_iso8601(now);
    g_autofree char *image = g_canonicalize_filename(options->image, NULL);
    struct utsname host;

    json_builder_begin_object(builder);
    add_string(builder, "recorded_by", "memory_tracer " MEMORY_TRACER_VERSION);
    add_string(builder, "recorded_at", when);
    add_string(builder, "user", g_get_user_name());
    if (!uname(&host))
        add_string(builder, "host", host.nodename);
    json_builder_set_member_name(builder, "command");
    json_builder_begin_array(builder);
    for (const char *const *word = options->workload.argv; *word; word++) {
        g_autofree char *text = g_utf8_make_valid(*word, -1);

        json_builder_add_string_value(builder, text);
    }
    json_builder_end_array(builder);
    add_string(builder, "image", image);
    add_string(builder, "snapshot", snapshot);
    add_string(builder, "qemu", qemu_version);
    add_string(builder, "kernel", machine->kernel);
    add_string(builder, "machine", machine->machine);
    add_string(builder, "cpu", machine->cpu);
    add_number(builder, "ram_mb", machine->ram_mb);
    add_number(builder, "vcpus", machine->vcpus);
    add_string(builder, "icount", machine->icount);
    add_bool(builder, "user_only", capture->user_only);
    add_bool(builder, "roi", capture->roi);
    add_bool(builder, "strict_order", capture->strict_order);
    add_bool(builder, "drop_when_full", capture->drop_when_full);
    add_number(builder, "log_block_len", capture->log_block_len);
    add_number(builder, "log_tracing_ratio", capture->log_tracing_ratio);
    if (capture->seeded)
        add_number(builder, "sample_seed", capture->sample_seed);
    return finish(builder);
}

char *metadata_of_result(const SessionResult *result)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();

    json_builder_begin_object(builder);
    add_number(builder, "accesses", result->counts.events);
    add_number(builder, "skipped", result->counts.skipped);
    add_number(builder, "records", result->counts.written);
    add_number(builder, "dropped", result->counts.dropped);
    add_number(builder, "traced_ns", result->traced_ns);
    add_number(builder, "guest_ns", result->guest_ns);
    add_number(builder, "regions", result->regions);
    add_bool(builder, "timed_out", result->timed_out);
    add_number(builder, "exit_status", (uint64_t)result->status);
    add_number(builder, "exit_signal", (uint64_t)result->signal);
    return finish(builder);
}
