/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The QEMU process: see qemu.h. */
#define _GNU_SOURCE
#include "qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../base/child.h"
#include "../base/printable.h"
#include "../base/temporary_folder.h"
#include "qemu_command_line.h"
#include "qmp.h"

#define MINIMUM_MAJOR 10
#define TESTED_MAJOR 11
#define TESTED_VERSIONS "10.0 to 11.1"
#define LOAD_TIMEOUT_S 300
#define KEPT_LINES 8
#define KILL_S 5
#define AGENT_GONE_MS 2000

struct Qemu {
    RunLoop *loop;
    Child *child;
    char *binary, *image, *snapshot, *machine, *made_with;
    unsigned ram_mb;
    bool has_plugin;
    int agent_fd, monitor_fd, console_fd; /* -1: taken, or not there */
    Qmp *qmp;
    bool quitting, watches_agent;
    guint agent_gone;       /* a source: the agent has gone; 0: it hasn't */
    TemporaryFolder *empty; /* exported by 9p devices that aren't used */
    GQueue lines;           /* the first lines that QEMU printed to stderr */
};

/* The version that `binary --version` tells, or NULL. */
static char *ask_version(const char *binary, RunLoop *loop, int *major)
{
    const char *argv[] = { binary, "--version", NULL };
    g_autoptr(RunLoop) own = run_loop_nest(loop); /* the run has failed already */
    g_autofree char *text = child_run(argv, own, NULL);
    const char *at = text ? strstr(text, "version ") : NULL;

    if (!at || sscanf(at, "version %d", major) != 1)
        return NULL;
    at += strlen("version ");
    return g_strndup(at, strcspn(at, " \n("));
}

static bool said(const Qemu *qemu, const char *text)
{
    for (GList *item = qemu->lines.head; item; item = item->next)
        if (strstr(item->data, text))
            return true;
    return false;
}

/* What QEMU complained about, on one line; without its own name. */
static char *complaint(const Qemu *qemu)
{
    GString *text = g_string_new(NULL);

    for (GList *item = qemu->lines.head; item; item = item->next) {
        const char *line = item->data, *colon = strstr(line, ": ");

        if (strstr(line, "warning: "))
            continue;
        if (colon && g_str_has_prefix(line, "qemu-system"))
            line = colon + 2;
        g_string_append_printf(text, "%s%s", text->len ? "; " : "", line);
    }
    return g_string_free(text, FALSE);
}

/* Turns QEMU's end into a line that says what to do. */
static GError *explain(const Qemu *qemu, const char *how)
{
    g_autofree char *text = complaint(qemu), *version = NULL;
    GError *error = NULL;
    int major = 0;

    if (!qmp_is_ready(qemu->qmp))
        version = ask_version(qemu->binary, qemu->loop, &major);
    if (version && major < MINIMUM_MAJOR)
        mt_fail(&error, "%s is QEMU %s, which is too old: %d.0 or newer is needed", qemu->binary, version,
                MINIMUM_MAJOR);
    else if (said(qemu, "plugin interface not enabled") || said(qemu, "-plugin: invalid option"))
        mt_fail(&error, "%s was built without plugins (configure it with --enable-plugins)", qemu->binary);
    else if (said(qemu, "plugin requires API version"))
        mt_fail(&error,
                "QEMU %s has another plugin interface than this memory_tracer knows: it was tested with QEMU %s: %s",
                version ? version : "", TESTED_VERSIONS, text);
    else if (said(qemu, "Size mismatch: pc.ram"))
        mt_fail(&error,
                "snapshot '%s' of %s was made with another RAM size than %u MB: say which with --guest_RAM_in_MBs",
                qemu->snapshot, qemu->image, qemu->ram_mb);
    else if (said(qemu, "unsupported machine type"))
        mt_fail(&error, "%s has no machine %s, which %s was made with: prepare the image again with this QEMU",
                qemu->binary, qemu->machine, qemu->image);
    else if (qemu->snapshot && !qmp_is_ready(qemu->qmp) && *text)
        mt_fail(&error, "QEMU %s can't load snapshot '%s' of %s (made with QEMU %s): %s", version ? version : "",
                qemu->snapshot, qemu->image, *qemu->made_with ? qemu->made_with : "of unknown version", text);
    else
        mt_fail(&error, "QEMU %s%s%s", how, *text ? ": " : "", text);
    return error;
}

static void on_line(void *data, const char *line)
{
    Qemu *qemu = data;
    g_autofree char *printable = text_make_printable(line); /* it quotes the image's strings, and may be the guest's */

    run_loop_verbose(qemu->loop, "QEMU: %s", printable);
    if (*printable && g_queue_get_length(&qemu->lines) < KEPT_LINES)
        g_queue_push_tail(&qemu->lines, g_steal_pointer(&printable));
}

static void on_end(void *data, const char *how)
{
    Qemu *qemu = data;

    if (!qemu->quitting)
        run_loop_fail(qemu->loop, explain(qemu, how));
}

/* Guests that run from a snapshot don't reboot: QEMU ends instead. */
static void on_shutdown(Qemu *qemu, JsonObject *details)
{
    const char *reason = qmp_string_member(details, "reason", "");

    run_loop_fail(qemu->loop,
                  g_error_new_literal(MT_ERROR, MT_ERROR_FAILED,
                                      !strcmp(reason, "guest-reset")
                                          ? "the guest has rebooted: its kernel has panicked, or a program told it to"
                                          : "the guest has shut down"));
}

/* A guest that shuts down closes the agent's port first: then the shutdown, which comes soon, is the better reason. */
static gboolean on_agent_gone(gpointer data)
{
    Qemu *qemu = data;

    qemu->agent_gone = 0;
    if (!qemu->quitting)
        run_loop_fail(qemu->loop, g_error_new_literal(MT_ERROR, MT_ERROR_FAILED, "the agent in the guest has ended"));
    return G_SOURCE_REMOVE;
}

/* The guest's end of a port was opened or closed. */
static void on_port_change(Qemu *qemu, JsonObject *details)
{
    JsonNode *open = details ? json_object_get_member(details, "open") : NULL;

    if (open && JSON_NODE_HOLDS_VALUE(open) && !json_node_get_boolean(open) && !qemu->agent_gone)
        qemu->agent_gone = g_timeout_add(AGENT_GONE_MS, on_agent_gone, qemu);
}

static void on_event(void *data, const char *event, JsonObject *details)
{
    Qemu *qemu = data;

    run_loop_verbose(qemu->loop, "QEMU event: %s", event);
    if (!strcmp(event, "BLOCK_IO_ERROR")) {
        g_autofree char *reason = text_make_printable(qmp_string_member(details, "reason", "unknown reason"));

        run_loop_fail(qemu->loop,
                      g_error_new(MT_ERROR, MT_ERROR_FAILED, "the guest's disk failed: %s (temporary files are in %s)",
                                  reason, g_get_tmp_dir()));
    } else if (!strcmp(event, "SHUTDOWN") && !qemu->quitting) {
        on_shutdown(qemu, details);
    } else if (!strcmp(event, "VSERPORT_CHANGE") && qemu->watches_agent) {
        on_port_change(qemu, details);
    } else if (!strcmp(event, "GUEST_PANICKED")) {
        run_loop_fail(qemu->loop, g_error_new(MT_ERROR, MT_ERROR_FAILED, "the guest's kernel has panicked"));
    }
}

/* Warns that this version of QEMU is untested. */
static void note_untested_version(const Qemu *qemu)
{
    if (qemu->has_plugin && qmp_major_version(qemu->qmp) > TESTED_MAJOR)
        run_loop_note(qemu->loop,
                      "QEMU %s is newer than those that this memory_tracer was tested with (%s): "
                      "if the run fails, or its records look wrong, use one of those",
                      qmp_version(qemu->qmp), TESTED_VERSIONS);
}

static bool make_pair(int *ours, int *theirs, GError **error)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return mt_fail(error, "can't create a socket pair: %s", g_strerror(errno));
    *ours = pair[0];
    *theirs = pair[1];
    return true;
}

Qemu *qemu_start(const QemuOptions *options, RunLoop *loop, GError **error)
{
    g_autoptr(GPtrArray) argv = NULL;
    g_autofree char *command = NULL;
    g_autoptr(Qemu) qemu = g_new0(Qemu, 1);
    ChildFd fds[] = { { -1, FD_AGENT }, { -1, FD_QMP }, { -1, -1 }, { -1, -1 }, { -1, -1 }, { -1, -1 } };
    int next = 2, qmp_fd = -1;
    const ChildHandlers handlers = { .stderr_line = on_line, .ended = on_end, .data = qemu };

    qemu->loop = loop;
    qemu->binary = g_strdup(options->binary);
    qemu->image = g_strdup(options->image);
    qemu->snapshot = g_strdup(options->snapshot);
    qemu->machine = g_strdup(options->machine->machine);
    qemu->made_with = g_strdup(options->machine->qemu_version ? options->machine->qemu_version : "");
    qemu->ram_mb = options->machine->ram_mb;
    qemu->has_plugin = options->ring;
    qemu->agent_fd = qemu->monitor_fd = qemu->console_fd = -1;
    g_queue_init(&qemu->lines);
    qemu->empty = temporary_folder_new_usual(error);
    if (!qemu->empty || !make_pair(&qemu->agent_fd, &fds[0].fd, error) || !make_pair(&qmp_fd, &fds[1].fd, error))
        return NULL;
    qemu->qmp = qmp_new(qmp_fd, on_event, qemu, loop);
    if (options->ring)
        fds[next++] = (ChildFd){ fcntl(ring_fd(options->ring), F_DUPFD_CLOEXEC, 0), FD_RING };
    if (options->monitor) {
        fds[next].target = FD_MONITOR;
        if (!make_pair(&qemu->monitor_fd, &fds[next++].fd, error))
            return NULL;
    }
    if (options->use_console) {
        fds[next].target = FD_CONSOLE;
        if (!make_pair(&qemu->console_fd, &fds[next++].fd, error))
            return NULL;
    }
    argv = qemu_command_line(options, qemu->empty->path);
    command = g_strjoinv(" ", (char **)argv->pdata);
    run_loop_verbose(loop, "starting %s", command);
    /* QEMU has all those files open that the guest's programs have open, each of which may have as many as the caller's
     * limit says. If QEMU had that limit, too, these programs would get EMFILE, or QEMU would close and open files
     * again and again. So it doesn't get the caller's limits. */
    qemu->child = child_start((const char *const *)argv->pdata, fds, &handlers, error);
    if (!qemu->child)
        return NULL;

    return g_steal_pointer(&qemu);
}

void qemu_free(Qemu *qemu)
{
    if (!qemu)
        return;
    qemu->quitting = true;
    g_clear_handle_id(&qemu->agent_gone, g_source_remove);
    child_free(qemu->child);
    qmp_free(qemu->qmp);
    if (qemu->agent_fd >= 0)
        close(qemu->agent_fd);
    if (qemu->monitor_fd >= 0)
        close(qemu->monitor_fd);
    if (qemu->console_fd >= 0)
        close(qemu->console_fd);
    temporary_folder_free(qemu->empty);
    g_queue_clear_full(&qemu->lines, g_free);
    g_free(qemu->binary);
    g_free(qemu->image);
    g_free(qemu->snapshot);
    g_free(qemu->machine);
    g_free(qemu->made_with);
    g_free(qemu);
}

static int take(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

int qemu_take_agent_fd(Qemu *qemu)
{
    return take(&qemu->agent_fd);
}

int qemu_take_monitor_fd(Qemu *qemu)
{
    return take(&qemu->monitor_fd);
}

int qemu_take_console_fd(Qemu *qemu)
{
    return take(&qemu->console_fd);
}

bool qemu_wait_running(Qemu *qemu, GError **error)
{
    const WaitFor wait = { .done = qmp_is_ready,
                           .data = qemu->qmp,
                           .what = qemu->snapshot ? "QEMU to load the snapshot" : "QEMU to start",
                           .timeout_s = LOAD_TIMEOUT_S };

    if (!run_loop_wait(qemu->loop, &wait, error))
        return false;
    note_untested_version(qemu);
    return true;
}

JsonNode *qemu_execute(Qemu *qemu, const char *command, const char *arguments, GError **error)
{
    return qmp_execute(qemu->qmp, command, arguments, error);
}

const char *qemu_version(const Qemu *qemu)
{
    return qmp_version(qemu->qmp);
}

void qemu_let_end(Qemu *qemu)
{
    qemu->quitting = true;
}

void qemu_watch_agent(Qemu *qemu)
{
    qemu->watches_agent = true;
}

bool qemu_is_stopped(const Qemu *qemu)
{
    return child_is_stopped(qemu->child);
}

bool qemu_halt(Qemu *qemu, unsigned patience_ms)
{
    return qmp_try(qemu->qmp, "stop", patience_ms);
}

void qemu_end(Qemu *qemu, unsigned patience_s)
{
    qemu_let_end(qemu);
    child_wait(qemu->child, patience_s);
    if (qemu_has_ended(qemu))
        return;
    child_signal(qemu->child, SIGKILL);
    child_signal(qemu->child, SIGCONT);
    child_wait(qemu->child, KILL_S);
}

bool qemu_has_ended(const Qemu *qemu)
{
    return child_has_ended(qemu->child);
}

static bool has_ended(void *data)
{
    return qemu_has_ended(data);
}

bool qemu_quit(Qemu *qemu, GError **error)
{
    const WaitFor wait = { .done = has_ended, .data = qemu, .what = "QEMU to quit", .timeout_s = 60 };

    qemu_let_end(qemu);
    qmp_send(qemu->qmp, "quit", NULL);
    return run_loop_wait(qemu->loop, &wait, error);
}
