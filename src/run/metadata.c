/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a trace file says of its run: see metadata.h. The members are documented in memory_tracer-record(1). */
#include "metadata.h"

#include <sys/utsname.h>

#include "../base/json_numbers.h"

/* JSON is UTF-8, names of files may be anything. */
static void set_string(JsonObject *object, const char *name, const char *value)
{
    g_autofree char *text = g_utf8_make_valid(value, -1);

    json_object_set_string_member(object, name, text);
}

/* Takes the object. */
static char *to_text(JsonObject *object)
{
    g_autoptr(JsonNode) root = json_node_new(JSON_NODE_OBJECT);

    json_node_take_object(root, object);
    return json_make_text(root, false);
}

char *metadata_of_run(const SessionOptions *options, const char *snapshot, const ImageMachine *machine,
                      const char *qemu_version)
{
    const CaptureOptions *capture = &options->capture;
    JsonObject *metadata = json_object_new();
    JsonArray *command = json_array_new();
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autofree char *when = g_date_time_format_iso8601(now);
    g_autofree char *image = g_canonicalize_filename(options->image, NULL);
    struct utsname host;

    set_string(metadata, "recorded_by", "memory_tracer " MEMORY_TRACER_VERSION);
    set_string(metadata, "recorded_at", when);
    set_string(metadata, "user", g_get_user_name());
    if (!uname(&host))
        set_string(metadata, "host", host.nodename);
    for (const char *const *word = options->workload.argv; *word; word++) {
        g_autofree char *text = g_utf8_make_valid(*word, -1);

        json_array_add_string_element(command, text);
    }
    json_object_set_array_member(metadata, "command", command);
    set_string(metadata, "files", options->workload.sees_host ? "host" : "image");
    if (options->workload.until)
        set_string(metadata, "until", options->workload.until);
    json_object_set_u64_member(metadata, "warm_ups", options->workload.warm_ups);
    set_string(metadata, "image", image);
    set_string(metadata, "snapshot", snapshot);
    set_string(metadata, "qemu", qemu_version);
    set_string(metadata, "kernel", machine->kernel);
    set_string(metadata, "machine", machine->machine);
    set_string(metadata, "cpu", machine->cpu);
    json_object_set_u64_member(metadata, "ram_mb", machine->ram_mb);
    json_object_set_u64_member(metadata, "vcpus", machine->vcpus);
    set_string(metadata, "icount", machine->icount);
    json_object_set_boolean_member(metadata, "user_only", capture->user_only);
    json_object_set_boolean_member(metadata, "roi", capture->roi);
    json_object_set_boolean_member(metadata, "strict_order", capture->strict_order);
    json_object_set_boolean_member(metadata, "drop_when_full", capture->drop_when_full);
    json_object_set_u64_member(metadata, "log_block_len", capture->log_block_len);
    json_object_set_u64_member(metadata, "log_tracing_ratio", capture->log_tracing_ratio);
    if (capture->seeded)
        json_object_set_u64_member(metadata, "sample_seed", capture->sample_seed);
    return to_text(metadata);
}

char *metadata_of_result(const SessionResult *result)
{
    JsonObject *metadata = json_object_new();

    json_object_set_u64_member(metadata, "accesses", result->counts.events);
    json_object_set_u64_member(metadata, "skipped", result->counts.skipped);
    json_object_set_u64_member(metadata, "records", result->counts.written);
    json_object_set_u64_member(metadata, "dropped", result->counts.dropped);
    json_object_set_u64_member(metadata, "traced_ns", result->traced_ns);
    json_object_set_u64_member(metadata, "guest_ns", result->guest_ns);
    json_object_set_u64_member(metadata, "regions", result->regions);
    json_object_set_u64_member(metadata, "open_regions", result->open_regions);
    if (result->lost_changes)
        json_object_set_u64_member(metadata, "lost_changes", result->lost_changes);
    json_object_set_boolean_member(metadata, "timed_out", result->timed_out);
    if (result->ended_by)
        set_string(metadata, "ended_by", result->ended_by);
    if (result->exited) {
        json_object_set_int_member(metadata, "exit_status", result->status);
        json_object_set_int_member(metadata, "exit_signal", result->signal);
        json_object_set_u64_member(metadata, "out_of_memory", result->out_of_memory);
        json_object_set_boolean_member(metadata, "until_succeeded", result->until_succeeded);
    }
    return to_text(metadata);
}
