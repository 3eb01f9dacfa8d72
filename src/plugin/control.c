/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: a user switches tracing of a running guest by hand ('memory_tracer ctl').
 *
 * A client connects, sends one line, and gets one line of JSON. Each client has a thread, so that none has to wait for
 * a client that sends nothing. Requests are carried out while all vCPUs stand still. Only a vCPU can stop the others,
 * so each block checks a word of its vCPU, which the client's thread sets.
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
#include <unistd.h>

#include "listener.h"
#include "phase.h"
#include "plugin.h"
#include "regions.h"

#define LINE_BYTES 256
#define LINE_TIMEOUT_MS 5000
#define POLL_US 2000
#define MAX_CLIENTS 64

#define OUTPUT_LOST "nobody takes the records any more (the reader has gone, or they can't be written): they are lost"

typedef struct {
    PluginControl *control;
    GThread *thread; /* NULL: the entry is free */
    int fd;
    gint done; /* the thread has ended, or is about to end */
} Client;

struct PluginControl {
    Listener listener;
    int quit; /* an eventfd that tells the threads to end */
    GThread *thread;
    Client clients[MAX_CLIENTS]; /* used by the listening thread */
    qemu_plugin_u64 word;        /* for each vCPU: not 0 if there is a request */
    GMutex lock;
    bool busy;    /* a client prepares a request, or waits for it */
    bool pending; /* a request waits for the vCPUs; the members below are its contents */
    bool active;
    bool user_only;
    SamplerOptions sampler;
    RingCounts before; /* the totals when tracing was last switched on */
};

/* Called by a vCPU. */

static void requested_cb(unsigned int vcpu, void *userdata)
{
    (void)vcpu;
    (void)userdata;
    phase_reconsider();
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
        phase_reconsider();
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
            regions_set_active(control->active);
    }
    control->pending = false;
    g_mutex_unlock(&control->lock);
}

/* Called by the clients' threads. */

/* Whether neither the client nor QEMU has gone. (A client that has only shut down its sending side is still there.) */
static bool may_wait(const PluginControl *control, int client)
{
    struct pollfd polled[] = { { .fd = client }, { .fd = control->quit, .events = POLLIN } };

    return poll(polled, 2, 0) == 0;
}

/* The caller holds the lock. Waits until no other client has a request. Returns false if the client gave up. */
static bool begin_request(PluginControl *control, int client)
{
    while (control->busy && may_wait(control, client)) {
        g_mutex_unlock(&control->lock);
        g_usleep(POLL_US);
        g_mutex_lock(&control->lock);
    }
    if (control->busy)
        return false;
    control->busy = true;
    control->active = plugin.active;
    control->user_only = plugin.options.user_only;
    control->sampler = plugin.options.sampler;
    return true;
}

/* The caller holds the lock. Lets the vCPUs carry out the request, and waits for it. Returns false if the client gave
 * up, and withdraws the request. */
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

/* Waits until the consumer has taken all that is published now. The vCPUs may go on publishing. */
static bool drain(const PluginControl *control, int client)
{
    for (unsigned i = 0; i < ring_vcpus(plugin.ring); i++) {
        uint64_t goal = ring_get_vcpu_counts(plugin.ring, i).written;
        RingCounts now;

        while (now = ring_get_vcpu_counts(plugin.ring, i), now.written - now.waiting < goal) {
            if (output_is_lost(plugin.output))
                return true; /* our caller says so */
            if (!may_wait(control, client))
                return false;
            g_usleep(POLL_US);
        }
    }
    return true;
}

static char *info(PluginControl *control)
{
    bool lost = output_is_lost(plugin.output);
    RingCounts now = ring_get_counts(plugin.ring), *before = &control->before;
    g_autofree char *settings = NULL;
    char *text;

    g_mutex_lock(&control->lock);
    settings = g_strdup_printf("\"trace\": %s, \"cpl3_only\": %s, \"log_block_len\": %u, \"log_tracing_ratio\": %u",
                               plugin.active ? "true" : "false", plugin.options.user_only ? "true" : "false",
                               plugin.options.sampler.log_block_len, plugin.options.sampler.log_tracing_ratio);
    text = g_strdup_printf(
        "{%s, \"events\": %" G_GUINT64_FORMAT ", \"written\": %" G_GUINT64_FORMAT ", \"skipped\": %" G_GUINT64_FORMAT
        ", \"dropped\": %" G_GUINT64_FORMAT ", \"waiting\": %" G_GUINT64_FORMAT ", \"output_lost\": %s}\n",
        settings, now.events - before->events, now.written - before->written, now.skipped - before->skipped,
        now.dropped - before->dropped, now.waiting, lost ? "true" : "false");
    g_mutex_unlock(&control->lock);
    return text;
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

/* Parses a line into the request. */
static bool parse(PluginControl *control, const char *verb, const char *argument)
{
    if (!strcmp(verb, "trace"))
        return parse_switch(argument, &control->active);
    if (!strcmp(verb, "cpl3-only"))
        return parse_switch(argument, &control->user_only);
    if (!strcmp(verb, "block-len"))
        return parse_log(argument, &control->sampler.log_block_len);
    if (!strcmp(verb, "tracing-ratio"))
        return parse_log(argument, &control->sampler.log_tracing_ratio);
    return !argument && !strcmp(verb, "flush");
}

/* The caller holds the lock. Returns NULL, or why a request was not carried out. */
static const char *carry_out(PluginControl *control, int client, const char *verb, const char *argument)
{
    if (!parse(control, verb, argument))
        return "unknown request";
    if (control->sampler.log_block_len + control->sampler.log_tracing_ratio > 64)
        return "the sum of block-len and tracing-ratio must be in range [0, 64]";
    if (!strcmp(verb, "trace") && control->active && output_is_lost(plugin.output))
        return OUTPUT_LOST;
    return submit(control, client) ? NULL : "given up";
}

/* Carries out a line's request, and returns the answer. */
static char *answer(PluginControl *control, int client, const char *line)
{
    g_auto(GStrv) words = g_strsplit(line, " ", 2);
    const char *verb = words[0] ? words[0] : "", *argument = words[0] ? words[1] : NULL;
    const char *refusal = "given up";

    if (!strcmp(verb, "info") && !argument)
        return info(control);
    g_mutex_lock(&control->lock);
    if (begin_request(control, client)) {
        refusal = carry_out(control, client, verb, argument);
        control->busy = false;
    }
    g_mutex_unlock(&control->lock);
    if (!refusal && !strcmp(verb, "flush")) {
        if (!drain(control, client))
            refusal = "given up";
        else if (output_is_lost(plugin.output))
            refusal = OUTPUT_LOST;
    }
    return refusal ? refuse(refusal) : info(control);
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

static void block_signals(void)
{
    sigset_t all;

    sigfillset(&all); /* QEMU's signals are for its own threads */
    pthread_sigmask(SIG_SETMASK, &all, NULL);
}

static gpointer client_thread(gpointer data)
{
    Client *client = data;

    block_signals();
    serve(client->control, client->fd);
    close(client->fd);
    g_atomic_int_set(&client->done, 1);
    return NULL;
}

/* Called by the listening thread. */

/* A free entry, or NULL. */
static Client *find_place(PluginControl *control)
{
    for (int i = 0; i < MAX_CLIENTS; i++) {
        Client *client = &control->clients[i];

        if (client->thread && g_atomic_int_get(&client->done))
            g_thread_join(g_steal_pointer(&client->thread));
        if (!client->thread)
            return client;
    }
    return NULL;
}

static void welcome(PluginControl *control, int fd)
{
    Client *client = find_place(control);

    if (client) {
        *client = (Client){ .control = control, .fd = fd };
        client->thread = g_thread_try_new("gmbe-client", client_thread, client, NULL);
    }
    if (!client || !client->thread) {
        g_autofree char *text = refuse("too many clients at once");

        (void)!send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
        close(fd);
    }
}

static gpointer control_thread(gpointer data)
{
    PluginControl *control = data;

    block_signals();
    for (;;) {
        struct pollfd polled[] = { { .fd = control->listener.fd, .events = POLLIN },
                                   { .fd = control->quit, .events = POLLIN } };
        int fd;

        if (poll(polled, 2, -1) < 0 && errno != EINTR)
            return NULL;
        if (polled[1].revents)
            return NULL;
        fd = accept4(control->listener.fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            welcome(control, fd);
        else if (errno != EAGAIN && errno != ECONNABORTED)
            g_usleep(POLL_US); /* for instance, no descriptor is left */
    }
}

PluginControl *control_new(const char *path, GError **error)
{
    PluginControl *control = g_new0(PluginControl, 1);

    g_mutex_init(&control->lock);
    if (!listener_open(&control->listener, path, error))
        return NULL; /* QEMU ends now */
    control->quit = eventfd(0, EFD_CLOEXEC);
    control->word = (qemu_plugin_u64){ .score = qemu_plugin_scoreboard_new(64) };
    control->thread = g_thread_new("gmbe-control", control_thread, control);
    return control;
}

void control_free(PluginControl *control)
{
    eventfd_write(control->quit, 1);
    g_thread_join(control->thread);
    for (int i = 0; i < MAX_CLIENTS; i++)
        if (control->clients[i].thread)
            g_thread_join(control->clients[i].thread);
    listener_close(&control->listener);
    close(control->quit);
    g_mutex_clear(&control->lock);
    g_free(control);
}
