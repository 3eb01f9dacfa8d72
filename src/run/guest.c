/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the workload runs: see guest.h. */
#define _GNU_SOURCE
#include "guest.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../protocol/words.h"
#include "agent_link.h"
#include "child.h"
#include "elf_object.h"
#include "guest_files.h"
#include "host_view.h"
#include "last_words.h"
#include "paths.h"
#include "printable.h"
#include "shared_libraries.h"
#include "standard_input.h"

#define AGENT_TIMEOUT_S 20
#define STAT_TIMEOUT_S 60
#define NATIVE_GRACE_S 5
#define GUEST_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define GUEST_FOLDER "qemu_mem_tracer_workload"
/* A guest that says more than it is asked for is not to fill our memory. */
#define TEXT_MAX_BYTES (64u << 20)
#define STATS_MAX 65536
/* The native agent's descriptor. */
#define FD_AGENT 3

struct Guest {
    const WorkloadOptions *options;
    RunLoop *loop;
    Qemu *qemu;
    Child *native;      /* the agent on this machine */
    char *user;         /* the workload's; empty: the agent's own */
    char *library_path; /* LD_LIBRARY_PATH=..., if the workload's libraries aren't found without; or NULL */
    AgentLink *agent;
    bool greeted, acknowledged, finished;
    struct mt_hello_reply greeting;
    GuestFinish finish;
    GArray *stats; /* of struct mt_stat_reply */
    GuestWorkload workload;
    StandardInput *input;        /* while it is passed on; or NULL */
    GString *info;               /* as it comes */
    bool stopping;               /* guest_stop() was called */
    GString *last_words;         /* the end of the workload's standard error */
    GString *captured;           /* where a program's output goes instead; or NULL */
    struct mt_progress progress; /* of unpacking */
    uint64_t archive_bytes;
};

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
    if (is_stderr)
        last_words_add(guest->last_words, (const char *)bytes, length);
    if (guest->options->terminal)
        last_words_add(guest->last_words, (const char *)bytes, length);
    if (is_stderr || !guest->options->pass_output)
        run_loop_print_error(guest->loop, (const char *)bytes, length);
    else
        run_loop_print(guest->loop, (const char *)bytes, length);
}

/* What is printed and given to analysis tools: text. */
static char *text_of_info(GString *info)
{
    for (gsize i = 0; i < info->len; i++)
        if (!info->str[i])
            info->str[i] = ' ';
    return g_strstrip(g_strndup(info->str, info->len));
}

/* `what` is it, for the message. */
static void gather(Guest *guest, GString *to, const char *what, const uint8_t *bytes, uint32_t length)
{
    if (to->len + length <= TEXT_MAX_BYTES)
        g_string_append_len(to, (const char *)bytes, length);
    else
        run_loop_fail(guest->loop,
                      g_error_new(MT_ERROR, MT_ERROR_FAILED, "%s is longer than %u MiB", what, TEXT_MAX_BYTES >> 20));
}

/* The agent believes that it is in a guest. */
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
    if (guest->input)
        standard_input_finish(guest->input, taken);
    run_loop_set_raw(guest->loop, false);
}

static void send_input(void *data, const uint8_t *bytes, size_t length)
{
    agent_link_send(((Guest *)data)->agent, MT_FRAME_STDIN, bytes, length);
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

/* *file becomes the path of the file that is the workload's standard input, or NULL. */
static void begin_input(Guest *guest, struct mt_run *run, char **file)
{
    const StandardInputHandlers handlers = {
        .bytes = send_input, .resized = send_window, .escape = escape, .data = guest
    };
    const WorkloadOptions *options = guest->options;

    *file = NULL;
    if (!options->pass_input)
        return;
    guest->input = standard_input_new(run, options->sees_host, options->terminal, file, &handlers);
    run_loop_set_raw(guest->loop, options->terminal);
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
    default:
        break;
    }
}

static bool has_greeted(void *data)
{
    return ((Guest *)data)->greeted;
}

/* The agent in the snapshot is as old as that: ours takes its place. */
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
    /* This machine's clock is right. */
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

static bool has_acknowledged(void *data)
{
    return ((Guest *)data)->acknowledged;
}

static void append_strings(GByteArray *payload, const char *const *strings)
{
    for (; *strings; strings++)
        g_byte_array_append(payload, (const guint8 *)*strings, (guint)strlen(*strings) + 1);
}

static void send_strings(Guest *guest, const GByteArray *strings)
{
    for (guint sent = 0; sent < strings->len; sent += MT_MAX_PAYLOAD)
        agent_link_send(guest->agent, MT_FRAME_STRINGS, strings->data + sent, MIN(MT_MAX_PAYLOAD, strings->len - sent));
}

/* Lets workloads see this machine's files. */
static bool show_host(Guest *guest, GError **error)
{
    const WaitFor wait = { .done = has_acknowledged,
                           .data = guest,
                           .what = "the guest to mount this machine's files",
                           .timeout_s = AGENT_TIMEOUT_S,
                           .poll_ms = 5 };
    const char *const *writable = guest->options->writable;
    const char *const name[] = { g_get_host_name(), NULL };
    struct mt_view view = { .folder_count = writable ? g_strv_length((char **)writable) : 0 };
    g_autoptr(GByteArray) strings = g_byte_array_new();

    append_strings(strings, name);
    if (writable)
        append_strings(strings, writable);
    send_strings(guest, strings);
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

    guest->user = g_strdup(workload->user ? workload->user : qemu->machine->user);
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
    const ChildHandlers handlers = { .stderr_line = on_native_line, .ended = on_native_end, .data = guest };
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
    if (guest->native) /* it has noticed, and takes the workload along */
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

/* Files. */

typedef struct {
    Guest *guest;
    guint count;
} StatsWanted;

static bool has_stats(void *data)
{
    StatsWanted *wanted = data;

    return wanted->guest->stats->len >= wanted->count;
}

static bool send_file(Guest *guest, const char *path, GError **error)
{
    const WaitFor wait = {
        .done = has_acknowledged,
        .data = guest,
        .what = "the guest to receive files",
        .timeout_s = guest->options->wait_timeout_s,
        .poll_ms = 20,
    };

    run_loop_verbose(guest->loop, "sending %s", path);
    guest->acknowledged = false;
    return agent_link_send_file(guest->agent, path, path, error) && run_loop_wait(guest->loop, &wait, error);
}

/* Has the guest the same file? Files of the same package version have the same size and time. */
static bool is_same(const char *path, const struct mt_stat_reply *reply)
{
    GStatBuf status;

    return !g_stat(path, &status) && S_ISREG(reply->mode) && (uint64_t)status.st_size == reply->size &&
           status.st_mtim.tv_sec == reply->mtime_ns / 1000000000;
}

static bool send_files(Guest *guest, GPtrArray *paths, bool only_missing, GError **error)
{
    StatsWanted wanted = { guest, paths->len };
    const WaitFor wait = { .done = has_stats,
                           .data = &wanted,
                           .what = "the guest to say which files it has",
                           .timeout_s = STAT_TIMEOUT_S,
                           .poll_ms = 20 };

    g_array_set_size(guest->stats, 0);
    for (guint i = 0; i < paths->len; i++)
        agent_link_send(guest->agent, MT_FRAME_STAT, paths->pdata[i], strlen(paths->pdata[i]) + 1);
    if (!run_loop_wait(guest->loop, &wait, error))
        return false;
    for (guint i = 0; i < paths->len; i++) {
        struct mt_stat_reply reply = g_array_index(guest->stats, struct mt_stat_reply, i);
        bool skip = only_missing ? reply.mode != 0 : is_same(paths->pdata[i], &reply);

        if (!skip && !send_file(guest, paths->pdata[i], error))
            return false;
    }
    return true;
}

/* Programs in the guest. */

static bool is_ready(void *data)
{
    const GuestWorkload *workload = &((Guest *)data)->workload;

    return workload->ready || workload->exited;
}

bool guest_ended_too_early(const Guest *guest, const char *line, GError **error)
{
    const struct mt_exit *end = &guest->workload.exit;

    return end->signal
               ? mt_fail(error, "the workload was killed by signal %u (%s) before it printed \"%s\"", end->signal,
                         g_strsignal((int)end->signal), line)
               : mt_fail(error, "the workload exited with status %u before it printed \"%s\"", end->status, line);
}

/* What MT_FRAME_RUN asks for. `run` needs no counts, `arguments` begin with argv[0], and what is NULL is left empty. */
typedef struct {
    struct mt_run run;
    const char *program, *user, *stdin_file, *until;
    const char *const *arguments, *const *environment;
} RunRequest;

static void send_run(Guest *guest, RunRequest *request)
{
    const char *current = guest->options->current_folder;
    g_autofree char *folder = current ? g_strdup(current) : g_get_current_dir();
    const char *program_word[] = { request->program, NULL };
    const char *last_words[] = { folder, request->user ? request->user : "",
                                 request->stdin_file ? request->stdin_file : "", request->until ? request->until : "",
                                 NULL };
    g_autoptr(GByteArray) strings = g_byte_array_new();

    request->run.argc = g_strv_length((char **)request->arguments);
    request->run.envc = g_strv_length((char **)request->environment);
    append_strings(strings, program_word);
    append_strings(strings, request->arguments);
    append_strings(strings, request->environment);
    append_strings(strings, last_words);
    send_strings(guest, strings);
    agent_link_send(guest->agent, MT_FRAME_RUN, &request->run, sizeof request->run);
}

static bool has_exited(void *data)
{
    return ((Guest *)data)->workload.exited;
}

/* The environment of programs in the guest that sees nothing of ours, and what is added to it. To be freed, without
 * the strings. */
static const char **guest_environment(const char *const *usual, const char *const *more, const char *one_more)
{
    GPtrArray *all = g_ptr_array_new();

    for (; *usual; usual++)
        g_ptr_array_add(all, (gpointer)*usual);
    for (; more && *more; more++)
        g_ptr_array_add(all, (gpointer)*more);
    if (one_more)
        g_ptr_array_add(all, (gpointer)one_more);
    g_ptr_array_add(all, NULL);
    return (const char **)g_ptr_array_free(all, FALSE);
}

static char *run_program(Guest *guest, RunRequest *request, GError **error)
{
    const WaitFor until_ready = {
        .done = is_ready, .data = guest, .what = "the guest to start a program", .timeout_s = 30, .poll_ms = 2
    };
    const WaitFor until_end = {
        .done = has_exited, .data = guest, .what = "a program in the guest", .timeout_s = 120, .poll_ms = 2
    };
    g_autoptr(GString) output = g_string_new(NULL);
    bool fine;

    guest->captured = output;
    request->program = request->arguments[0];
    send_run(guest, request);
    fine = run_loop_wait(guest->loop, &until_ready, error);
    if (fine && guest->workload.ready) {
        guest_enter(guest);
        fine = run_loop_wait(guest->loop, &until_end, error);
    }
    guest->captured = NULL;
    if (fine && (guest->workload.exit.status || guest->workload.exit.signal))
        fine = mt_fail(error, "%s failed in the guest", request->program);
    g_clear_pointer(&guest->workload.info, g_free);
    guest->workload = (GuestWorkload){ .libraries = guest->workload.libraries };
    return fine ? g_string_free(g_steal_pointer(&output), FALSE) : NULL;
}

char *guest_run_program(Guest *guest, const char *const *argv, GError **error)
{
    const char *const environment[] = { GUEST_PATH, "LC_ALL=C", NULL };
    RunRequest request = { .arguments = argv, .environment = environment };

    return run_program(guest, &request, error);
}

/*
 * Where the loader will put the program and its libraries: without address space randomisation it is the same each
 * time, so it is asked to tell, as ldd does. Only glibc's loader can be asked: another one would start the program.
 * (`ld.so --list PROGRAM` can't be used: then the loader maps the program itself, and the libraries lie elsewhere.)
 * Failing to find out is not an error.
 */
static void find_libraries(Guest *guest, const char *program, bool loader_is_usual)
{
    static const char trace_libraries[] = "LD_TRACE_LOADED_OBJECTS=1";
    const char *const usual[] = { GUEST_PATH, guest->library_path, NULL };
    const char *const argv[] = { program, NULL };
    const WorkloadOptions *options = guest->options;
    g_autofree const char **environment =
        guest_environment(options->environment ? options->environment : usual, NULL, trace_libraries);
    RunRequest request = { .arguments = argv, .environment = environment };
    g_autoptr(GString) libraries = g_string_new(NULL);
    g_autofree char *listed = NULL;
    uint64_t bias;

    if (!guest_files_load_bias(program, &bias))
        return;
    g_string_append_printf(libraries, "%" G_GINT64_MODIFIER "x %s\n", bias, program);
    if (loader_is_usual && options->describe_libraries &&
        (!options->sees_host || host_view_describe_caller(&request.run, options->user, NULL)))
        listed = run_program(guest, &request, NULL);
    g_auto(GStrv) lines = g_strsplit(listed ? listed : "", "\n", -1);
    for (char **line = lines; *line; line++) {
        char *path = strchr(*line, '/'), *address = strstr(*line, " (0x");

        if (path && address && path < address) {
            *address = 0;
            address += strlen(" (0x");
            address[strcspn(address, ")")] = 0;
            g_string_append_printf(libraries, "%s %s\n", address, path);
        }
    }
    guest->workload.libraries = g_string_free(g_steal_pointer(&libraries), FALSE);
}

/* For a guest that has this machine's files, too. */
static void describe_program(Guest *guest, const char *program)
{
    g_autoptr(ElfObject) object = elf_object_read(program, NULL);

    if (object && guest->options->describe)
        find_libraries(guest, program, object->loader && shared_libraries_loader_is_usual(object->loader));
}

static bool send_program(Guest *guest, const char *program, GError **error)
{
    g_autoptr(GuestFiles) files = guest_files_new();

    files->takes_text = guest->options->may_be_text;
    if (!guest_files_add_program(files, program, error))
        return false;
    if (guest->native)
        return true;
    if (!send_files(guest, files->needed, false, error) || !send_files(guest, files->if_missing, true, error))
        return false;
    if (files->library_path)
        guest->library_path = g_strconcat("LD_LIBRARY_PATH=", files->library_path, NULL);
    if (guest->options->describe)
        find_libraries(guest, program, files->loader_is_usual);
    return true;
}

void guest_set_archive_bytes(Guest *guest, uint64_t bytes)
{
    guest->archive_bytes = bytes;
}

static char *unpack_status(void *data)
{
    Guest *guest = data;

    return g_strdup_printf("%.0f of %.0f MB", (double)guest->progress.bytes / 1e6, (double)guest->archive_bytes / 1e6);
}

static bool unpack_folder(Guest *guest, GError **error)
{
    const WaitFor wait = {
        .done = has_acknowledged, .data = guest, .what = "the guest to unpack the folder", .poll_ms = 20
    };
    g_autofree char *words = g_strdup_printf("%s%c%s", guest->user, 0, GUEST_FOLDER);
    bool fine;

    guest->acknowledged = false;
    agent_link_send(guest->agent, MT_FRAME_UNPACK, words, strlen(guest->user) + 1 + sizeof GUEST_FOLDER);
    run_loop_set_status(guest->loop, unpack_status, guest);
    fine = run_loop_wait(guest->loop, &wait, error);
    run_loop_set_status(guest->loop, NULL, NULL);
    return fine;
}

/* The workload. */

/* Sets what the request says of the workload's user, and returns its environment, to be freed without the strings. */
static const char **describe_workload(Guest *guest, struct mt_run *run, GStrv own_environment, GError **error)
{
    const WorkloadOptions *options = guest->options;
    const char *const usual[] = { GUEST_PATH, "LANG=C.UTF-8", "TERM=dumb", NULL };
    const char *const *whole = options->environment ? options->environment : (const char *const *)own_environment;

    run->flags = (options->speaks ? MT_RUN_WORKLOAD_SPEAKS : 0) |
                 (options->is_on_host && !options->sees_host ? MT_RUN_FROM_HOST : 0) |
                 (options->tell_vcpus ? MT_RUN_TELL_VCPUS : 0);
    run->timeout_ms = options->timeout_s * 1000;
    run->warm_ups = options->warm_ups;
    if (options->sees_host && !host_view_describe_caller(run, options->user, error))
        return NULL;
    return whole ? guest_environment(whole, NULL, NULL)
                 : guest_environment(usual, options->more_environment, guest->library_path);
}

bool guest_start_workload(Guest *guest, GError **error)
{
    const WorkloadOptions *options = guest->options;
    const WaitFor wait = { .done = is_ready,
                           .data = guest,
                           .what = options->warm_ups ? "the workload to warm up"
                                                     : "the workload to print \"" WORDS_READY "\"",
                           .timeout_s = options->wait_timeout_s,
                           .poll_ms = 10 };
    g_autofree char *program = options->is_on_host && !options->sees_host
                                   ? g_canonicalize_filename(options->program, NULL)
                                   : g_strdup(options->program);
    g_auto(GStrv) own_environment = guest->native ? g_get_environ() : NULL;
    g_autofree const char **environment = NULL;
    g_autofree char *stdin_file = NULL;
    RunRequest request = {
        .program = program, .user = guest->user, .until = options->until, .arguments = options->argv
    };

    if (options->sees_host)
        describe_program(guest, program);
    else if (options->is_on_host && !send_program(guest, program, error))
        return false;
    if (options->folder && !unpack_folder(guest, error))
        return false;
    environment = describe_workload(guest, &request.run, own_environment, error);
    if (!environment)
        return false;
    begin_input(guest, &request.run, &stdin_file);
    request.environment = environment;
    request.stdin_file = stdin_file;
    send_run(guest, &request);
    if (!run_loop_wait(guest->loop, &wait, error))
        return false;
    return guest->workload.ready || guest_ended_too_early(guest, WORDS_READY, error);
}

const char *guest_last_words(const Guest *guest)
{
    return guest->last_words->str;
}

void guest_enter(Guest *guest)
{
    agent_link_send(guest->agent, MT_FRAME_ENTER, NULL, 0);
}

void guest_stop(Guest *guest)
{
    guest->stopping = true;
    agent_link_send(guest->agent, MT_FRAME_STOP, NULL, 0);
}

static bool has_finished(void *data)
{
    return ((Guest *)data)->finished;
}

bool guest_finish(Guest *guest, GuestFinish *finish, GError **error)
{
    const WaitFor wait = { .done = has_finished,
                           .data = guest,
                           .what = "the guest to write back what was written",
                           .expected = true,
                           .poll_ms = 5 };

    agent_link_send(guest->agent, MT_FRAME_FINISH, NULL, 0);
    if (!run_loop_wait(guest->loop, &wait, error))
        return false;
    *finish = guest->finish;
    return true;
}
