/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_tracer ctl SOCKET COMMAND: switches the tracing of a running guest by hand. */
#include <gio/gio.h>
#include <gio/gunixsocketaddress.h>
#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"

#define PATIENCE_S 5

static const char *const description =
    "Commands:\n"
    "  trace on|off        begin and end tracing\n"
    "  cpl3-only on|off    trace user code only, not the kernel\n"
    "  block-len N         sampling: blocks of 2^N accesses\n"
    "  tracing-ratio N     sampling: one block of 2^N is traced\n"
    "  info                print the settings and how many accesses there were since tracing was switched on\n"
    "  flush               wait until every record so far has been written\n\n"
    "The guest is a QEMU that was started with -plugin libgmbe.so,out=FIFO,control=SOCKET,start=never. Settings may "
    "be\n"
    "changed while tracing is on; sampling begins anew then.";

/* Is it something that the other side will understand? Checked here, so that the message can say what is wrong. */
static bool check_command(int argc, char **argv, GError **error)
{
    static const struct {
        const char *name;
        enum { ARGUMENT_NONE, ARGUMENT_SWITCH, ARGUMENT_LOG } argument;
    } commands[] = {
        { "trace", ARGUMENT_SWITCH },      { "cpl3-only", ARGUMENT_SWITCH }, { "block-len", ARGUMENT_LOG },
        { "tracing-ratio", ARGUMENT_LOG }, { "info", ARGUMENT_NONE },        { "flush", ARGUMENT_NONE },
    };
    guint64 number;

    if (argc < 3)
        return mt_fail_usage(error, "ctl: SOCKET and a command are needed (see --help)");
    for (guint i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (strcmp(argv[2], commands[i].name))
            continue;
        if (argc != (commands[i].argument == ARGUMENT_NONE ? 3 : 4))
            return mt_fail_usage(error, "ctl: %s takes %s argument", argv[2],
                                 commands[i].argument == ARGUMENT_NONE ? "no" : "one");
        if (commands[i].argument == ARGUMENT_SWITCH && strcmp(argv[3], "on") && strcmp(argv[3], "off"))
            return mt_fail_usage(error, "%s must be on or off, but %s isn't.", argv[2], argv[3]);
        if (commands[i].argument == ARGUMENT_LOG && !g_ascii_string_to_unsigned(argv[3], 10, 0, 64, &number, NULL))
            return mt_fail_usage(error, "%s must be in range [0, 64], but %s isn't.", argv[2], argv[3]);
        return true;
    }
    return mt_fail_usage(error, "ctl: unknown command '%s' (see --help)", argv[2]);
}

static gboolean on_slow(gpointer data)
{
    const char *command = data;

    fprintf(stderr, "memory_tracer: waiting for the guest to execute something (is it paused?)%s\n",
            g_str_has_prefix(command, "flush") ? ", or for the trace's reader" : "");
    return G_SOURCE_REMOVE;
}

static void on_line(GObject *source, GAsyncResult *result, gpointer data)
{
    char **line = data;

    *line = g_data_input_stream_read_line_finish(G_DATA_INPUT_STREAM(source), result, NULL, NULL);
    if (!*line)
        *line = g_strdup("");
}

/* Sends a command and returns the answer. */
static char *ask(const char *path, const char *command, GError **error)
{
    g_autoptr(GSocketClient) client = g_socket_client_new();
    g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);
    g_autoptr(GError) problem = NULL;
    g_autoptr(GSocketConnection) connection =
        g_socket_client_connect(client, G_SOCKET_CONNECTABLE(address), NULL, &problem);
    g_autoptr(GDataInputStream) lines = NULL;
    char *line = NULL;
    guint slow;

    if (!connection || !g_output_stream_write_all(g_io_stream_get_output_stream(G_IO_STREAM(connection)), command,
                                                  strlen(command), NULL, NULL, &problem)) {
        mt_fail(error, "can't reach a traced guest at %s: %s", path, problem->message);
        return NULL;
    }
    lines = g_data_input_stream_new(g_io_stream_get_input_stream(G_IO_STREAM(connection)));
    g_data_input_stream_read_line_async(lines, G_PRIORITY_DEFAULT, NULL, on_line, &line);
    slow = g_timeout_add_seconds(PATIENCE_S, on_slow, (gpointer)command);
    while (!line)
        g_main_context_iteration(NULL, TRUE);
    if (g_main_context_find_source_by_id(NULL, slow))
        g_source_remove(slow);
    if (!*line) {
        g_free(line);
        mt_fail(error, "the guest at %s has ended before it answered", path);
        return NULL;
    }
    return line;
}

static uint64_t number(JsonObject *object, const char *name)
{
    return (uint64_t)json_object_get_int_member_with_default(object, name, 0);
}

static void print_info(JsonObject *info)
{
    g_autoptr(GString) text = g_string_new(NULL);
    const RingCounts counts = { .events = number(info, "events"),
                                .skipped = number(info, "skipped"),
                                .written = number(info, "written"),
                                .dropped = number(info, "dropped"),
                                .waiting = number(info, "waiting") };

    if (json_object_get_boolean_member_with_default(info, "output_lost", FALSE))
        puts("the trace's reader: gone");
    printf("trace: %s\n", json_object_get_boolean_member(info, "trace") ? "on" : "off");
    printf("cpl3-only: %s\n", json_object_get_boolean_member(info, "cpl3_only") ? "on" : "off");
    printf("block-len: %" G_GUINT64_FORMAT "\n", number(info, "log_block_len"));
    printf("tracing-ratio: %" G_GUINT64_FORMAT "\n", number(info, "log_tracing_ratio"));
    cmd_format_counts(text, &counts);
    fputs(text->str, stdout);
}

int cmd_ctl(int argc, char **argv, GError **error)
{
    gboolean json = FALSE;
    const GOptionEntry entries[] = {
        { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print the answer as JSON", NULL },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autofree char *command = NULL, *line = NULL;
    JsonObject *answer;

    if (!options_parse(&argc, &argv, entries, "SOCKET COMMAND [ARGUMENT]",
                       "Switches the tracing of a running guest by hand.", description, false, error) ||
        !check_command(argc, argv, error))
        return -1;
    command = g_strdup_printf("%s%s%s\n", argv[2], argv[3] ? " " : "", argv[3] ? argv[3] : "");
    line = ask(argv[1], command, error);
    if (!line)
        return -1;
    if (!json_parser_load_from_data(parser, line, -1, NULL) || !JSON_NODE_HOLDS_OBJECT(json_parser_get_root(parser))) {
        mt_fail(error, "%s is not the control socket of a traced guest", argv[1]);
        return -1;
    }
    answer = json_node_get_object(json_parser_get_root(parser));
    if (json_object_has_member(answer, "error")) {
        mt_fail(error, "%s", json_object_get_string_member_with_default(answer, "error", ""));
        return -1;
    }
    if (json)
        puts(line);
    else if (!strcmp(argv[2], "info"))
        print_info(answer);
    return 0;
}
