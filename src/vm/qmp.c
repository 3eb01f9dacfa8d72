/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QEMU's machine protocol: see qmp.h. */
#include "qmp.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <unistd.h>

#include "../base/error.h"
#include "../base/printable.h"

#define COMMAND_TIMEOUT_S 600
#define LINE_MAX_BYTES (4u << 20)
#define VERSION_MAX 1000

struct Qmp {
    RunLoop *loop;
    int fd;
    guint readable;
    GString *in; /* what came, from the beginning of a line */
    QmpEvent on_event;
    void *data;
    char *version;
    int major;
    bool ready;
    JsonNode *reply; /* to the last command */
};

static JsonNode *member(JsonObject *object, const char *name)
{
    return object ? json_object_get_member(object, name) : NULL;
}

JsonObject *qmp_object_member(JsonObject *object, const char *name)
{
    JsonNode *node = member(object, name);

    return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

const char *qmp_string_member(JsonObject *object, const char *name, const char *otherwise)
{
    JsonNode *node = member(object, name);

    return node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING
               ? json_node_get_string(node)
               : otherwise;
}

gint64 qmp_int_member(JsonObject *object, const char *name, gint64 otherwise)
{
    JsonNode *node = member(object, name);

    return node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_INT64
               ? json_node_get_int(node)
               : otherwise;
}

static int version_part(JsonObject *version, const char *name)
{
    return (int)CLAMP(qmp_int_member(version, name, 0), 0, VERSION_MAX);
}

static void take_greeting(Qmp *qmp, JsonObject *greeting)
{
    JsonObject *version = qmp_object_member(qmp_object_member(greeting, "version"), "qemu");

    g_free(qmp->version);
    qmp->major = version_part(version, "major");
    qmp->version =
        g_strdup_printf("%d.%d.%d", qmp->major, version_part(version, "minor"), version_part(version, "micro"));
    qmp_send(qmp, "qmp_capabilities", NULL);
}

static void take_line(Qmp *qmp, const char *line, gsize length)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    JsonNode *root =
        json_parser_load_from_data(parser, line, (gssize)length, NULL) ? json_parser_get_root(parser) : NULL;
    JsonObject *message = root && JSON_NODE_HOLDS_OBJECT(root) ? json_node_get_object(root) : NULL;
    JsonObject *greeting = qmp_object_member(message, "QMP");
    const char *event = qmp_string_member(message, "event", NULL);

    if (greeting) {
        take_greeting(qmp, greeting);
    } else if (event) {
        g_autofree char *printable = text_make_printable(event);

        qmp->on_event(qmp->data, printable, qmp_object_member(message, "data"));
    } else if (message && !qmp->ready) {
        qmp->ready = true; /* the answer to qmp_capabilities */
    } else if (message) {
        g_clear_pointer(&qmp->reply, json_node_unref);
        qmp->reply = json_node_copy(root);
    }
}

static void take_lines(Qmp *qmp)
{
    gsize used = 0;
    const char *end;

    while ((end = memchr(qmp->in->str + used, '\n', qmp->in->len - used))) {
        gsize length = (gsize)(end - qmp->in->str) - used;

        take_line(qmp, qmp->in->str + used, length);
        used += length + 1;
    }
    g_string_erase(qmp->in, 0, (gssize)used);
    if (qmp->in->len > LINE_MAX_BYTES) {
        g_string_truncate(qmp->in, 0);
        run_loop_fail(qmp->loop, g_error_new(MT_ERROR, MT_ERROR_FAILED, "QEMU says more than %u MiB in one line",
                                             LINE_MAX_BYTES >> 20));
    }
}

static gboolean on_readable(gint fd, GIOCondition condition, gpointer data)
{
    Qmp *qmp = data;
    char bytes[64 * 1024];
    ssize_t n = read(fd, bytes, sizeof bytes);

    (void)condition;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return G_SOURCE_CONTINUE;
    if (n <= 0) { /* QEMU is gone: that is noticed by its end */
        qmp->readable = 0;
        return G_SOURCE_REMOVE;
    }
    g_string_append_len(qmp->in, bytes, n);
    take_lines(qmp);
    return G_SOURCE_CONTINUE;
}

Qmp *qmp_new(int fd, QmpEvent on_event, void *data, RunLoop *loop)
{
    Qmp *qmp = g_new0(Qmp, 1);

    qmp->loop = loop;
    qmp->fd = fd;
    qmp->on_event = on_event;
    qmp->data = data;
    qmp->in = g_string_new(NULL);
    g_unix_set_fd_nonblocking(fd, TRUE, NULL);
    qmp->readable = g_unix_fd_add(fd, G_IO_IN | G_IO_HUP, on_readable, qmp);
    return qmp;
}

void qmp_free(Qmp *qmp)
{
    if (!qmp)
        return;
    g_clear_handle_id(&qmp->readable, g_source_remove);
    g_clear_pointer(&qmp->reply, json_node_unref);
    g_string_free(qmp->in, TRUE);
    g_free(qmp->version);
    close(qmp->fd);
    g_free(qmp);
}

bool qmp_is_ready(void *qmp)
{
    return ((Qmp *)qmp)->ready;
}

const char *qmp_version(const Qmp *qmp)
{
    return qmp->version ? qmp->version : "";
}

int qmp_major_version(const Qmp *qmp)
{
    return qmp->major;
}

void qmp_send(Qmp *qmp, const char *command, const char *arguments)
{
    g_autofree char *text = arguments ? g_strdup_printf("{\"execute\":\"%s\",\"arguments\":%s}\n", command, arguments)
                                      : g_strdup_printf("{\"execute\":\"%s\"}\n", command);

    g_clear_pointer(&qmp->reply, json_node_unref);
    /* Commands are short and few: if there is no room for one, QEMU is stuck, and nobody waits for it for ever. */
    (void)!write(qmp->fd, text, strlen(text));
}

static bool has_reply(void *data)
{
    return ((Qmp *)data)->reply;
}

JsonNode *qmp_execute(Qmp *qmp, const char *command, const char *arguments, GError **error)
{
    g_autofree char *what = g_strdup_printf("QEMU to execute %s", command);
    const WaitFor wait = { .done = has_reply, .data = qmp, .what = what, .timeout_s = COMMAND_TIMEOUT_S };
    JsonObject *reply;
    JsonNode *result;

    qmp_send(qmp, command, arguments);
    if (!run_loop_wait(qmp->loop, &wait, error))
        return NULL;
    reply = json_node_get_object(qmp->reply);
    result = member(reply, "return");
    if (!result) {
        g_autofree char *why = text_make_printable(qmp_string_member(qmp_object_member(reply, "error"), "desc", ""));

        mt_fail(error, "QEMU refuses %s: %s", command, why);
        return NULL;
    }
    return json_node_copy(result);
}

bool qmp_try(Qmp *qmp, const char *command, unsigned patience_ms)
{
    const WaitFor wait = { .done = has_reply, .data = qmp, .what = "QEMU", .patience_ms = patience_ms, .poll_ms = 10 };

    qmp_send(qmp, command, NULL);
    return run_loop_wait(qmp->loop, &wait, NULL);
}
