/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_tracer info FILE: what a trace file tells about itself. */
#include <stdio.h>
#include <string.h>

#include "../base/json_numbers.h"
#include "../source/input.h"
#include "cmd.h"

static const char *const field_names[] = { "pc", "paddr", "value", "time" };

static JsonNode *describe(const mt_trace *trace)
{
    g_autoptr(JsonObject) metadata = input_metadata(trace);
    JsonObject *all = json_object_new();
    JsonArray *fields = json_array_new();
    JsonNode *node = json_node_new(JSON_NODE_OBJECT);
    uint64_t records = mt_trace_records(trace), accesses = input_metadata_number(metadata, "accesses", UINT64_MAX);
    size_t blocks = mt_trace_blocks(trace);
    bool exact;
    uint64_t known = input_known_records(trace, metadata, &exact);

    for (guint i = 0; i < G_N_ELEMENTS(field_names); i++)
        if (mt_trace_fields(trace) & 1u << i)
            json_array_add_string_element(fields, field_names[i]);
    json_object_set_int_member(all, "format_version", 1);
    json_object_set_boolean_member(all, "complete", mt_trace_is_complete(trace));
    if (mt_trace_damage(trace))
        json_object_set_string_member(all, "damage", mt_trace_damage(trace));
    json_object_set_array_member(all, "fields", fields);
    json_object_set_int_member(all, "vcpus", mt_trace_vcpus(trace));
    json_object_set_u64_member(all, "records", records);
    if (exact || known > records) /* else it isn't known */
        json_object_set_u64_member(all, "records_missing", (known - records));
    if (accesses != UINT64_MAX) {
        json_object_set_u64_member(all, "accesses", accesses);
        json_object_set_u64_member(all, "accesses_skipped", input_metadata_number(metadata, "skipped", 0));
        json_object_set_u64_member(all, "records_dropped", input_metadata_number(metadata, "dropped", 0));
    }
    json_object_set_int_member(all, "instructions", mt_trace_instructions(trace));
    json_object_set_u64_member(all, "blocks", blocks);
    json_object_set_u64_member(all, "bytes", mt_trace_bytes(trace));
    if (records)
        json_object_set_double_member(all, "bytes_per_record", (double)mt_trace_bytes(trace) / (double)records);
    json_object_set_object_member(all, "metadata", g_steal_pointer(&metadata));
    json_node_take_object(node, all);
    return node;
}

/* Strings as they are, everything else as JSON; objects member by member. */
static void print_object(JsonObject *object, int indent)
{
    g_autoptr(GList) names = json_object_get_members(object);

    for (GList *name = names; name; name = name->next) {
        JsonNode *node = json_object_get_member(object, name->data);
        uint64_t number;
        g_autofree char *text = JSON_NODE_HOLDS_OBJECT(node) ? NULL : json_make_text(node, false);

        printf("%*s%-*s ", indent, "", 20 - indent, (const char *)name->data);
        if (!text) {
            putchar('\n');
            print_object(json_node_get_object(node), indent + 2);
        } else if (json_node_get_u64(node, &number)) {
            printf("%'" G_GUINT64_FORMAT "\n", number);
        } else if (JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING) {
            puts(json_node_get_string(node));
        } else if (JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_DOUBLE) {
            printf("%.3f\n", json_node_get_double(node));
        } else {
            puts(text);
        }
    }
}

int cmd_info(int argc, char **argv, GError **error)
{
    gboolean json = FALSE;
    const GOptionEntry entries[] = {
        { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print it as JSON", NULL },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    g_autoptr(JsonNode) node = NULL;
    mt_trace *trace;

    if (!options_parse(&argc, &argv, entries, "FILE",
                       "Tells what is in a trace file: what was traced, how, how much, and what is missing.", NULL,
                       false, error))
        return -1;
    if (argc != 2) {
        mt_fail_usage(error, "info: one FILE is needed (see --help)");
        return -1;
    }
    trace = input_open_trace(argv[1], MT_FORMAT_FILE, error);
    if (!trace)
        return -1;
    node = describe(trace);
    if (json) {
        g_autofree char *text = json_make_text(node, true);

        puts(text);
    } else {
        print_object(json_node_get_object(node), 0);
    }
    mt_trace_close(trace);
    return 0;
}
