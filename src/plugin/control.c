/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: somebody switches tracing of a running guest by hand ('memory_tracer ctl').
 *
 * A client connects, sends one line, and gets one line of JSON. What it asks for is done while all vCPUs stand still.
 * Only a vCPU can bring that about, so each block looks at a word of its vCPU that our thread sets.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <gio/gio.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "plugin.h"

#define LINE_BYTES 256
#define LINE_TIMEOUT_MS 5000
#define POLL_US 2000

struct PluginControl {
    char *path;
    int listener;
    int quit; /* an eventfd: the thread shall end */
    GThread *thread;
    qemu_plugin_u64 word; /* per vCPU: there is a request */
    GMutex lock;
    bool pending; /* a request waits for the vCPUs; what it asks for: */
    bool active;
    bool user_only;
    SamplerOptions sampler;
    RingCounts before; /* the totals when tracing was switched on last */
};

/* By a vCPU. */

static void requested_cb(unsigned int vcpu, void *userdata)
{
    (void)vcpu;
    (void)userdata;
    plugin_reconsider();
}

void control_instrument_block(PluginControl *control, struct qemu_plugin_tb *tb)
{
    qemu_plugin_register_vcpu_tb_exec_cond_cb(tb, requested_cb, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_COND_NE,
                                              control->word, 0, NULL);
}

void control_notice(PluginControl *control)
{
    bool pending;

    g_mutex_lock(&control->lock);
    pending = control->pending;
    g_mutex_unlock(&control->lock);
    if (pending)
        plugin_reconsider();
}

static void set_words(PluginControl *control, uint64_t value)
{
    for (int i = 0; i < qemu_plugin_num_vcpus(); i++)
        qemu_plugin_u64_set(control->word, (unsigned)i, value);
}

void control_apply(PluginControl *control)
{
    SamplerOptions *sampler = &plugin.options.sampler;

    g_mutex_lock(&control->lock);
    set_words(control, 0);
    if (control->pending) {
        bool resampled = sampler->log_block_len != control->sampler.log_block_len ||
                         sampler->log_tracing_ratio != control->sampler.log_tracing_ratio;

        plugin.options.user_only = control->user_only;
        *sampler = control->sampler;
        if (resampled)
            capture_restart_sampling();
        if (control->active && !plugin.active)
            control->before = ring_get_counts(plugin.ring);
        if (control->active != plugin.active)
            plugin_set_active(control->active);
    }
    control->pending = false;
    g_mutex_unlock(&control->lock);
}

/* By our thread. */

/* Neither the client nor QEMU has gone. */
static bool may_wait(const PluginControl *control, int client)
{
    struct pollfd polled[] = { { .fd = client, .events = POLLRDHUP }, { .fd = control->quit, .events = POLLIN } };

    return poll(polled, 2, 0) == 0;
}

/* Lets the vCPUs do what was asked for, and waits. With the lock held. Returns false if the client gave up, and the
 * request with it. */
static bool submit(PluginControl *control, int client)
{
    bool done;

    control->pending = true;
    set_words(control, 1);
    while (control->pending && may_wait(control, client)) {
        g_mutex_unlock(&control->lock);
        g_usleep(POLL_US);
        g_mutex_lock(&control->lock);
    }
    done = !control->pending;
    if (!done)
        set_words(control, 0);
    control->pending = false;
    return done;
}

/* Waits until the consumer has taken what is published now; the vCPUs may go on publishing. */
static bool drain(const PluginControl *control, int client)
{
    for (unsigned i = 0; i < ring_vcpus(plugin.ring); i++) {
        uint64_t goal = ring_get_vcpu_counts(plugin.ring, i).written;
        RingCounts now;

        while (now = ring_get_vcpu_counts(plugin.ring, i), now.written - now.waiting < goal) {
            if (ring_is_closed(plugin.ring))
                return true;
            if (!may_wait(control, client))
                return false;
            g_usleep(POLL_US);
        }
    }
    return true;
}

static char *info(PluginControl *control)
{
    RingCounts now = ring_get_counts(plugin.ring), *before = &control->before;

    return g_strdup_printf(
        "{\"trace\": %s, \"cpl3_only\": %s, \"log_block_len\": %u, \"log_tracing_ratio\": %u, \"events\": "
        "%" G_GUINT64_FORMAT ", \"written\": %" G_GUINT64_FORMAT ", \"skipped\": %" G_GUINT64_FORMAT
        ", \"dropped\": %" G_GUINT64_FORMAT ", \"waiting\": %" G_GUINT64_FORMAT "}\n",
        plugin.active ? "true" : "false", plugin.options.user_only ? "true" : "false",
        plugin.options.sampler.log_block_len, plugin.options.sampler.log_tracing_ratio, now.events - before->events,
        now.written - before->written, now.skipped - before->skipped, now.dropped - before->dropped, now.waiting);
}

static char *refuse(const char *why)
{
    return g_strdup_printf("{\"error\": \"%s\"}\n", why);
}

static bool parse_switch(const char *word, bool *value)
{
    *value = !g_strcmp0(word, "on");
    return *value || !g_strcmp0(word, "off");
}

static bool parse_log(const char *word, unsigned *value)
{
    guint64 number;

    if (!word || !g_ascii_string_to_unsigned(word, 10, 0, 64, &number, NULL))
        return false;
    *value = (unsigned)number;
    return true;
}

/* Does what a line asks for and returns the answer. */
static char *answer(PluginControl *control, int client, const char *line)
{
    g_auto(GStrv) words = g_strsplit(line, " ", 2);
    const char *verb = words[0] ? words[0] : "", *argument = words[0] ? words[1] : NULL;
    bool fine = true;
    char *text;

    g_mutex_lock(&control->lock);
    control->active = plugin.active;
    control->user_only = plugin.options.user_only;
    control->sampler = plugin.options.sampler;
    if (!strcmp(verb, "trace"))
        fine = parse_switch(argument, &control->active);
    else if (!strcmp(verb, "cpl3-only"))
        fine = parse_switch(argument, &control->user_only);
    else if (!strcmp(verb, "block-len"))
        fine = parse_log(argument, &control->sampler.log_block_len);
    else if (!strcmp(verb, "tracing-ratio"))
        fine = parse_log(argument, &control->sampler.log_tracing_ratio);
    else
        fine = !argument && (!strcmp(verb, "info") || !strcmp(verb, "flush"));

    if (!fine)
        text = refuse("unknown request");
    else if (control->sampler.log_block_len + control->sampler.log_tracing_ratio > 64)
        text = refuse("the sum of block-len and tracing-ratio must be in range [0, 64]");
    else if (strcmp(verb, "info") && !submit(control, client))
        text = refuse("given up");
    else
        text = NULL;
    g_mutex_unlock(&control->lock);
    if (!text && !strcmp(verb, "flush") && !drain(control, client))
        text = refuse("given up");
    return text ? text : info(control);
}

static void serve(PluginControl *control, int client)
{
    char line[LINE_BYTES];
    size_t length = 0;
    g_autofree char *text = NULL;

    while (!memchr(line, '\n', length)) {
        struct pollfd polled[] = { { .fd = client, .events = POLLIN }, { .fd = control->quit, .events = POLLIN } };
        ssize_t n;

        if (length == sizeof line || poll(polled, 2, LINE_TIMEOUT_MS) <= 0 || polled[1].revents)
            return;
        n = read(client, line + length, sizeof line - length);
        if (n <= 0)
            return;
        length += (size_t)n;
    }
    *(char *)memchr(line, '\n', length) = 0;
    text = answer(control, client, line);
    (void)!send(client, text, strlen(text), MSG_NOSIGNAL);
}

static gpointer control_thread(gpointer data)
{
    PluginControl *control = data;
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    for (;;) {
        struct pollfd polled[] = { { .fd = control->listener, .events = POLLIN },
                                   { .fd = control->quit, .events = POLLIN } };
        int client;

        if (poll(polled, 2, -1) < 0 && errno != EINTR)
            return NULL;
        if (polled[1].revents)
            return NULL;
        client = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0)
            continue;
        serve(control, client);
        close(client);
    }
}

/* Binds the listener. The socket of a QEMU that is gone is replaced. */
static bool listen_at(PluginControl *control, GError **error)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int probe, failure = 0;

    if (strlen(control->path) >= sizeof address.sun_path) {
        failure = ENAMETOOLONG;
    } else {
        strcpy(address.sun_path, control->path);
        probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(probe, (struct sockaddr *)&address, sizeof address) && errno == ECONNREFUSED)
            unlink(control->path);
        close(probe);
        control->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (bind(control->listener, (struct sockaddr *)&address, sizeof address) || chmod(control->path, 0600) ||
            listen(control->listener, 4))
            failure = errno;
    }
    if (failure)
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(failure), "can't listen at %s: %s", control->path,
                    g_strerror(failure));
    return !failure;
}

PluginControl *control_new(const char *path, GError **error)
{
    PluginControl *control = g_new0(PluginControl, 1);

    control->path = g_strdup(path);
    control->listener = -1;
    g_mutex_init(&control->lock);
    if (!listen_at(control, error))
        return NULL; /* QEMU ends now */
    control->quit = eventfd(0, EFD_CLOEXEC);
    control->word = (qemu_plugin_u64){ .score = qemu_plugin_scoreboard_new(64) };
    control->thread = g_thread_new("gmbe-control", control_thread, control);
    return control;
}

void control_free(PluginControl *control)
{
    unlink(control->path);
    eventfd_write(control->quit, 1);
    g_thread_join(control->thread);
    close(control->listener);
    close(control->quit);
    g_mutex_clear(&control->lock);
    g_free(control->path);
    g_free(control);
}
