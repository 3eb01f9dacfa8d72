/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the workload runs: starting it, and what the agent there says. See guest.h. */
#define _GNU_SOURCE
#include "guest.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../base/paths.h"
#include "../base/printable.h"
#include "guest_private.h"
#include "last_words.h"

#define AGENT_TIMEOUT_S 20
#define NATIVE_GRACE_S 5
/* A guest that says more than it is asked for is not to fill our memory. */
#define TEXT_MAX_BYTES (64u << 20)
#define STATS_MAX 65536
/* The native agent's descriptor. */
#define FD_AGENT 3

Qemu *guest_qemu(const Guest *guest)
{
    return guest->qemu;
}

const GuestWorkload *guest_workload(const Guest *guest)
{
    return &guest->workload;
}

/* The agent. */

/* While nobody reads our output, the guest isn't read from either: it waits, as a program would at a full pipe. */
static bool output_may_come(void *data)
{
    Guest *guest = data;

    return guest->stopping || !run_loop_is_congested(guest->loop);
}

static void pass_output(Guest *guest, bool is_stderr, const uint8_t *bytes, uint32_t length)
{
    if (guest->stopping && run_loop_is_congested(guest->loop))
        return;
    if (is_stderr || guest->options->terminal || guest->has_one_output)
        last_words_add(guest->last_words, (const char *)bytes, length);
    if (is_stderr || !guest->options->pass_output)
        run_loop_print_error(guest->loop, (const char *)bytes, length);
    else
        run_loop_print(guest->loop, (const char *)bytes, length);
}

/* The info is printed, and given to analysis tools: so it becomes text without NULs. To be freed. */
static char *text_of_info(GString *info)
{
    for (gsize i = 0; i < info->len; i++)
        if (!info->str[i])
            info->str[i] = ' ';
    return g_strstrip(g_strndup(info->str, info->len));
}

/* Appends bytes; `what` names them in the message when there are too many. */
static void gather(Guest *guest, GString *to, const char *what, const uint8_t *bytes, uint32_t length)
{
    if (to->len + length <= TEXT_MAX_BYTES)
        g_string_append_len(to, (const char *)bytes, length);
    else
        run_loop_fail(guest->loop,
                      g_error_new(MT_ERROR, MT_ERROR_FAILED, "%s is longer than %u MiB", what, TEXT_MAX_BYTES >> 20));
}

/* A native agent speaks of "the guest", too: that is taken out of its message. */
static GError *agent_error(const Guest *guest, const char *line)
{
    g_auto(GStrv) parts = g_strsplit(line, guest->native ? " in the guest" : "\n", 2);
    g_autofree char *joined = g_strjoinv("", parts), *text = text_make_printable(joined);

    return g_error_new(MT_ERROR, MT_ERROR_FAILED, "%s", text);
}

static void on_finished(Guest *guest, const uint8_t *payload, uint32_t length)
{
    struct mt_finished finished;

    memcpy(&finished, payload, sizeof finished);
    guest->finish.files_dropped = finished.files_dropped;
    guest->finish.disk_is_full = finished.disk_is_full;
    g_clear_pointer(&guest->finish.problem, g_free);
    if (finished.failed)
        guest->finish.problem =
            text_make_printable(length > sizeof finished ? (const char *)payload + sizeof finished : "");
    guest->finished = true;
}

static void on_fetched(Guest *guest, const uint8_t *payload, uint32_t length)
{
    struct mt_fetched fetched;

    memcpy(&fetched, payload, sizeof fetched);
    if (!guest->fetched)
        return;
    if (length - sizeof fetched > guest->fetch_max_bytes - guest->fetched->len)
        guest->fetch_failed = true;
    else
        g_byte_array_append(guest->fetched, payload + sizeof fetched, length - (guint)sizeof fetched);
    guest->fetch_failed |= fetched.failed;
    guest->fetch_ended = fetched.is_last;
}

/* Standard input. */

static void want_input(Guest *guest, const uint8_t *payload)
{
    struct mt_stdin_wanted wanted;

    memcpy(&wanted, payload, sizeof wanted);
    if (guest->input)
        standard_input_want(guest->input, wanted.bytes);
}

static void end_input(Guest *guest, uint64_t taken)
{
    if (guest->options->terminal)
        run_loop_settle(guest->loop); /* what it has printed belongs on its own terminal */
    if (guest->input)
        standard_input_finish(guest->input, taken);
    run_loop_set_raw(guest->loop, false);
}

static void send_input(void *data, const uint8_t *bytes, size_t length)
{
    agent_link_send(((Guest *)data)->agent, MT_FRAME_STDIN, bytes, length);
}

static void on_typed(void *data)
{
    run_loop_hide_progress(((Guest *)data)->loop);
}

static void send_window(void *data, const struct mt_window *window)
{
    agent_link_send(((Guest *)data)->agent, MT_FRAME_WINDOW, window, sizeof *window);
}

/* As Ctrl-C would where the terminal isn't the workload's. */
static void escape(void *data)
{
    (void)data;
    kill(getpid(), SIGINT);
}

void guest_begin_input(Guest *guest, struct mt_run *run, char **file)
{
    const StandardInputHandlers handlers = {
        .bytes = send_input, .typed = on_typed, .resized = send_window, .escape = escape, .data = guest
    };
    const WorkloadOptions *options = guest->options;

    *file = NULL;
    if (!options->pass_input)
        return;
    guest->input = standard_input_new(run, options->sees_host, options->terminal, file, &handlers);
}

static void on_frame(void *data, enum mt_frame_type type, const uint8_t *payload, uint32_t length)
{
    Guest *guest = data;
    GuestWorkload *workload = &guest->workload;

    switch (type) {
    case MT_FRAME_HELLO_REPLY:
        memcpy(&guest->greeting, payload, MIN(length, sizeof guest->greeting));
        guest->greeted = true;
        break;
    case MT_FRAME_OK:
        guest->acknowledged = true;
        break;
    case MT_FRAME_PROGRESS:
        memcpy(&guest->progress, payload, MIN(length, sizeof guest->progress));
        break;
    case MT_FRAME_ERROR:
        run_loop_fail(guest->loop, agent_error(guest, (const char *)payload));
        break;
    case MT_FRAME_STAT_REPLY: {
        struct mt_stat_reply reply = { 0 };

        memcpy(&reply, payload, MIN(length, sizeof reply));
        if (guest->stats->len < STATS_MAX)
            g_array_append_val(guest->stats, reply);
        break;
    }
    case MT_FRAME_INFO:
        gather(guest, guest->info, "the workload's info", payload, length);
        break;
    case MT_FRAME_READY:
        g_free(workload->info);
        workload->info = text_of_info(guest->info);
        workload->ready = true;
        break;
    case MT_FRAME_STDOUT:
    case MT_FRAME_STDERR:
        if (guest->captured && type == MT_FRAME_STDOUT)
            gather(guest, guest->captured, "the output of a program in the guest", payload, length);
        else if (!guest->captured)
            pass_output(guest, type == MT_FRAME_STDERR, payload, length);
        break;
    case MT_FRAME_TRACED:
        memcpy(&workload->times, payload, MIN(length, sizeof workload->times));
        workload->traced = true;
        break;
    case MT_FRAME_EXIT:
        memcpy(&workload->exit, payload, MIN(length, sizeof workload->exit));
        workload->exited = true;
        end_input(guest, workload->exit.stdin_taken);
        break;
    case MT_FRAME_STDIN_WANTED:
        want_input(guest, payload);
        break;
    case MT_FRAME_FINISHED:
        on_finished(guest, payload, length);
        break;
    case MT_FRAME_FETCHED:
        on_fetched(guest, payload, length);
        break;
    default:
        break;
    }
}

static bool has_greeted(void *data)
{
    return ((Guest *)data)->greeted;
}

/* The agent in the snapshot is as old as the snapshot: the current one takes its place. */
static bool renew_agent(Guest *guest, GError **error)
{
    const WaitFor wait = { .done = has_greeted,
                           .data = guest,
                           .what = "the current agent to start in the guest",
                           .timeout_s = AGENT_TIMEOUT_S,
                           .poll_ms = 5 };

    guest->greeted = false;
    agent_link_send(guest->agent, MT_FRAME_RENEW, NULL, 0);
    if (!run_loop_wait(guest->loop, &wait, error))
        return false;
    if (guest->greeting.version != MT_PROTOCOL_VERSION)
        return mt_fail(error,
                       "the agent that was started in the guest speaks protocol %u, not %d: is memory_tracer "
                       "installed as a whole?",
                       guest->greeting.version, MT_PROTOCOL_VERSION);
    qemu_watch_agent(guest->qemu);
    return true;
}

/* `who` is what the message is about if nobody answers. */
static bool greet(Guest *guest, int fd, const char *who, GError **error)
{
    /* A native agent doesn't set the clock: this machine's is right. */
    struct mt_hello hello = { .version = MT_PROTOCOL_VERSION,
                              .wall_clock_ns = guest->native ? 0 : g_get_real_time() * 1000 };
    const WaitFor wait = {
        .done = has_greeted, .data = guest, .what = "the agent to answer", .timeout_s = AGENT_TIMEOUT_S, .poll_ms = 10
    };
    g_autoptr(GError) problem = NULL;

    guest->agent = agent_link_new(fd, on_frame, guest);
    agent_link_set_throttle(guest->agent, output_may_come);
    agent_link_send(guest->agent, MT_FRAME_HELLO, &hello, sizeof hello);
    if (guest->qemu && !qemu_wait_running(guest->qemu, error))
        return false;
    if (!run_loop_wait(guest->loop, &wait, &problem)) {
        if (strstr(problem->message, "gave up"))
            return mt_fail(error, "no agent answers in %s: was it made by 'memory_tracer image'?", who);
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    if (guest->greeting.version < MT_PROTOCOL_BASE)
        return mt_fail(
            error,
            "the agent in %s speaks protocol %u, but this memory_tracer needs %d or newer: prepare the image "
            "again",
            who, guest->greeting.version, MT_PROTOCOL_BASE);
    return !guest->qemu || renew_agent(guest, error);
}

bool guest_has_acknowledged(void *data)
{
    return ((Guest *)data)->acknowledged;
}

void guest_append_strings(GByteArray *payload, const char *const *strings)
{
    for (; *strings; strings++)
        g_byte_array_append(payload, (const guint8 *)*strings, (guint)strlen(*strings) + 1);
}

void guest_send_strings(Guest *guest, const GByteArray *strings)
{
    for (guint sent = 0; sent < strings->len; sent += MT_MAX_PAYLOAD)
        agent_link_send(guest->agent, MT_FRAME_STRINGS, strings->data + sent, MIN(MT_MAX_PAYLOAD, strings->len - sent));
}

/* Lets workloads see this machine's files. */
static bool show_host(Guest *guest, GError **error)
{
    const WaitFor wait = { .done = guest_has_acknowledged,
                           .data = guest,
                           .what = "the guest to mount this machine's files",
                           .timeout_s = AGENT_TIMEOUT_S,
                           .poll_ms = 5 };
    const char *const *writable = guest->options->writable;
    const char *const name[] = { g_get_host_name(), NULL };
    struct mt_view view = { .folder_count = writable ? g_strv_length((char **)writable) : 0 };
    g_autoptr(GByteArray) strings = g_byte_array_new();

    guest_append_strings(strings, name);
    if (writable)
        guest_append_strings(strings, writable);
    guest_send_strings(guest, strings);
    guest->acknowledged = false;
    agent_link_send(guest->agent, MT_FRAME_VIEW, &view, sizeof view);
    return run_loop_wait(guest->loop, &wait, error);
}

static Guest *new_guest(const WorkloadOptions *workload, RunLoop *loop)
{
    Guest *guest = g_new0(Guest, 1);

    guest->options = workload;
    guest->loop = loop;
    guest->info = g_string_new(NULL);
    guest->last_words = g_string_new(NULL);
    guest->stats = g_array_new(FALSE, FALSE, sizeof(struct mt_stat_reply));
    return guest;
}

Guest *guest_start(const QemuOptions *qemu, const WorkloadOptions *workload, RunLoop *loop, GError **error)
{
    g_autoptr(Guest) guest = new_guest(workload, loop);
    g_autofree char *who = g_strdup_printf("snapshot '%s' of %s", qemu->snapshot, qemu->image);

    /* A user of this machine is identified by ids: the guest needn't know the name. */
    guest->user = g_strdup(workload->sees_host ? "" : workload->user ? workload->user : qemu->machine->user);
    guest->qemu = qemu_start(qemu, loop, error);
    if (!guest->qemu || !greet(guest, qemu_take_agent_fd(guest->qemu), who, error) ||
        (workload->sees_host && !show_host(guest, error)))
        return NULL;
    return g_steal_pointer(&guest);
}

static void on_native_line(void *data, const char *line)
{
    run_loop_note(((Guest *)data)->loop, "agent: %s", line);
}

static void on_native_end(void *data, const char *how)
{
    run_loop_fail(((Guest *)data)->loop, g_error_new(MT_ERROR, MT_ERROR_FAILED, "the agent %s", how));
}

Guest *guest_start_native(const WorkloadOptions *workload, RunLoop *loop, GError **error)
{
    g_autoptr(Guest) guest = new_guest(workload, loop);
    g_autofree char *agent = paths_find_resource("memory_tracer_agent", error);
    const char *argv[] = { agent, "--serve", G_STRINGIFY(FD_AGENT), NULL };
    const ChildHandlers handlers = {
        .stderr_line = on_native_line, .ended = on_native_end, .data = guest, .callers_limits = true
    };
    int pair[2];

    if (!agent)
        return NULL;
    guest->user = g_strdup("");
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
        mt_fail(error, "can't create a socket pair: %s", g_strerror(errno));
        return NULL;
    }
    const ChildFd fds[] = { { pair[1], FD_AGENT }, { -1, -1 } };
    guest->native = child_start(argv, fds, &handlers, error);
    if (!guest->native || !greet(guest, pair[0], "this machine", error))
        return NULL;
    return g_steal_pointer(&guest);
}

void guest_free(Guest *guest)
{
    if (!guest)
        return;
    run_loop_set_raw(guest->loop, false);
    standard_input_free(guest->input);
    g_clear_pointer(&guest->agent, agent_link_free);
    if (guest->native) /* it notices that the link is closed, ends the workload, and then itself */
        child_wait(guest->native, NATIVE_GRACE_S);
    child_free(guest->native);
    qemu_free(guest->qemu);
    g_array_unref(guest->stats);
    g_string_free(guest->info, TRUE);
    g_string_free(guest->last_words, TRUE);
    g_free(guest->workload.info);
    g_free(guest->workload.libraries);
    g_free(guest->user);
    g_free(guest->library_path);
    g_free(guest->finish.problem);
    g_free(guest);
}
