/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Child processes: see child.h. */
#define _GNU_SOURCE
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "error.h"
#include "limits.h"

#define LINE_MAX_BYTES 4096
#define LINGER_MS 500
#define REAP_TRIES 5000 /* of a millisecond */
#define RUN_TIMEOUT_S 300

/* A stream that it prints to, handed over as bytes or as lines. */
typedef struct {
    Child *child;
    int fd;
    guint source;
    void (*bytes)(void *data, const char *bytes, gsize length);
    void (*line)(void *data, const char *line);
    GString *unfinished; /* line */
} ChildStream;

/*
 * An ended child stays a zombie until it is freed: as long as its process ID can't be another's, and its group can be
 * killed by it.
 */
struct Child {
    ChildHandlers handlers;
    ChildStream streams[2];
    GPid pid;
    int pidfd;
    guint exit_source, linger_source;
    siginfo_t status;
    bool exited, ended;
};

/* GLib hands what the kernel can't execute to a shell. We don't want that: only programs and scripts that name their
 * interpreter are started. A file that isn't there is left to exec's error. */
static bool check_format(const char *program, GError **error)
{
    g_autofree char *found = g_find_program_in_path(program);
    unsigned char head[6] = { 0 };
    int fd = found ? open(found, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    bool readable = fd >= 0 && read(fd, head, sizeof head) >= 0;

    if (fd >= 0)
        close(fd);
    if (!readable || (head[0] == '#' && head[1] == '!') ||
        (!memcmp(head, "\177ELF", 4) && (head[4] == 1 || head[4] == 2) && (head[5] == 1 || head[5] == 2)))
        return true;
    return mt_fail(error, "%s is neither a program nor a script with a #! line", program);
}

/* In the child, between fork and exec. */
static void set_up(gpointer data)
{
    const Child *child = data;
    struct rlimit before;
    sigset_t none;

    if (child->handlers.callers_limits)
        limits_give_back();
    else
        limits_raise_file_size(&before);
    setpgid(0, 0); /* Ctrl-C is for us alone: we then end the others in the right order */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
}

static char *how_it_ended(const Child *child)
{
    int number = child->status.si_status;

    return child->status.si_code == CLD_EXITED
               ? g_strdup_printf("exited with status %d", number)
               : g_strdup_printf("was killed by signal %d (%s)", number, g_strsignal(number));
}

static void check_end(Child *child)
{
    g_autofree char *how = NULL;

    if (!child->exited || child->ended || child->streams[0].source || child->streams[1].source)
        return;
    child->ended = true;
    how = how_it_ended(child);
    if (child->handlers.ended)
        child->handlers.ended(child->handlers.data, how);
}

/* Streams. */

static void hand_over_line(ChildStream *stream)
{
    g_autofree char *line = g_string_free(stream->unfinished, FALSE);

    stream->unfinished = g_string_new(NULL);
    g_strchomp(line);
    stream->line(stream->child->handlers.data, line);
}

static void split_lines(ChildStream *stream, const char *bytes, gsize length)
{
    for (gsize i = 0; i < length; i++) {
        if (bytes[i] != '\n' && bytes[i])
            g_string_append_c(stream->unfinished, bytes[i]);
        if (bytes[i] == '\n' || stream->unfinished->len >= LINE_MAX_BYTES)
            hand_over_line(stream);
    }
}

static void close_stream(ChildStream *stream)
{
    if (stream->line && stream->unfinished->len)
        hand_over_line(stream);
    g_clear_handle_id(&stream->source, g_source_remove);
}

static gboolean on_readable(gint fd, GIOCondition condition, gpointer data)
{
    ChildStream *stream = data;
    char bytes[64 * 1024];
    ssize_t n = read(fd, bytes, sizeof bytes);

    (void)condition;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return G_SOURCE_CONTINUE;
    if (n > 0 && stream->line)
        split_lines(stream, bytes, (gsize)n);
    else if (n > 0)
        stream->bytes(stream->child->handlers.data, bytes, (gsize)n);
    if (n > 0)
        return G_SOURCE_CONTINUE;
    stream->source = 0;
    close_stream(stream);
    check_end(stream->child);
    return G_SOURCE_REMOVE;
}

static void listen_to(Child *child, ChildStream *stream, int fd)
{
    stream->child = child;
    stream->fd = fd;
    if (fd < 0)
        return;
    g_unix_set_fd_nonblocking(fd, TRUE, NULL);
    stream->unfinished = g_string_new(NULL);
    stream->source = g_unix_fd_add(fd, G_IO_IN | G_IO_HUP, on_readable, stream);
}

/* A grandchild may hold the streams open: they are read for LINGER_MS after the child's end, and no longer. */
static gboolean on_streams_linger(gpointer data)
{
    Child *child = data;

    child->linger_source = 0;
    for (int i = 0; i < 2; i++)
        close_stream(&child->streams[i]);
    check_end(child);
    return G_SOURCE_REMOVE;
}

static gboolean on_exit_of_child(gint fd, GIOCondition condition, gpointer data)
{
    Child *child = data;

    (void)fd;
    (void)condition;
    child->exit_source = 0;
    waitid(P_PID, (id_t)child->pid, &child->status, WEXITED | WNOWAIT);
    child->exited = true;
    child->linger_source = g_timeout_add(LINGER_MS, on_streams_linger, child);
    check_end(child);
    return G_SOURCE_REMOVE;
}

/* Starting and ending. */

static int count_fds(const ChildFd *fds)
{
    int count = 0;

    while (fds && fds[count].fd >= 0)
        count++;
    return count;
}

static bool spawn(Child *child, const char *const *argv, const ChildFd *fds, int streams[2], GError **error)
{
    const ChildHandlers *handlers = &child->handlers;
    bool reads_stdout = handlers->stdout_bytes || handlers->stdout_line, reads_stderr = handlers->stderr_line;
    int count = count_fds(fds);
    g_autofree int *sources = g_new(int, count + 1), *targets = g_new(int, count + 1);

    for (int i = 0; i < count; i++) {
        sources[i] = fds[i].fd;
        targets[i] = fds[i].target;
    }
    return g_spawn_async_with_pipes_and_fds(
        NULL, argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_CLOEXEC_PIPES, set_up, child, -1,
        reads_stdout ? -1 : STDERR_FILENO, -1, sources, targets, (gsize)count, &child->pid, NULL,
        reads_stdout ? &streams[0] : NULL, reads_stderr ? &streams[1] : NULL, error);
}

Child *child_start(const char *const *argv, const ChildFd *fds, const ChildHandlers *handlers, GError **error)
{
    g_autofree Child *child = g_new0(Child, 1);
    int streams[2] = { -1, -1 };
    bool fine;

    child->handlers = *handlers;
    fine = check_format(argv[0], error) && spawn(child, argv, fds, streams, error);
    for (int i = 0, count = count_fds(fds); i < count; i++)
        close(fds[i].fd);
    if (!fine)
        return NULL;
    child->streams[0].bytes = handlers->stdout_bytes;
    child->streams[0].line = handlers->stdout_line;
    child->streams[1].line = handlers->stderr_line;
    for (int i = 0; i < 2; i++)
        listen_to(child, &child->streams[i], streams[i]);
    child->pidfd = (int)syscall(SYS_pidfd_open, child->pid, 0);
    child->exit_source = g_unix_fd_add(child->pidfd, G_IO_IN, on_exit_of_child, child);
    return g_steal_pointer(&child);
}

/* A process that the kernel can't end now (it waits for a disk) is left to it. */
static void reap(Child *child)
{
    for (int i = 0; i < REAP_TRIES && waitpid(child->pid, NULL, WNOHANG) == 0; i++)
        g_usleep(1000);
}

void child_free(Child *child)
{
    if (!child)
        return;
    kill(-child->pid, SIGKILL); /* what it has started, too */
    kill(child->pid, SIGKILL);  /* should it not have got that far */
    reap(child);
    g_clear_handle_id(&child->exit_source, g_source_remove);
    g_clear_handle_id(&child->linger_source, g_source_remove);
    for (int i = 0; i < 2; i++) {
        ChildStream *stream = &child->streams[i];

        g_clear_handle_id(&stream->source, g_source_remove);
        if (stream->unfinished)
            g_string_free(stream->unfinished, TRUE);
        if (stream->fd >= 0)
            close(stream->fd);
    }
    close(child->pidfd);
    g_free(child);
}

int child_pid(const Child *child)
{
    return child->exited ? 0 : child->pid;
}

bool child_has_ended(const Child *child)
{
    return child->ended;
}

bool child_succeeded(const Child *child)
{
    return child->ended && child->status.si_code == CLD_EXITED && child->status.si_status == 0;
}

bool child_is_stopped(const Child *child)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", child->pid), *text = NULL;
    const char *state;

    if (child->exited || !g_file_get_contents(path, &text, NULL, NULL))
        return false;
    state = strrchr(text, ')'); /* the name before it may hold anything */
    return state && (state[2] == 'T' || state[2] == 't');
}

void child_signal(Child *child, int signal)
{
    kill(child->pid, signal); /* the number is still the child's: it stays a zombie until it is freed */
}

void child_wait(Child *child, unsigned seconds)
{
    gint64 until_us = g_get_monotonic_time() + seconds * G_USEC_PER_SEC;

    while (!child->ended && g_get_monotonic_time() < until_us) {
        g_main_context_iteration(NULL, FALSE);
        g_usleep(1000);
    }
}

void child_interrupt(Child *child, unsigned grace_s)
{
    if (!child || child->ended)
        return;
    kill(-child->pid, SIGINT);
    child_wait(child, grace_s);
}

/* Short-lived programs. */

typedef struct {
    Child *child;
    GString *out, *err;
} Running;

static void on_run_output(void *data, const char *bytes, gsize length)
{
    g_string_append_len(((Running *)data)->out, bytes, (gssize)length);
}

static void on_run_complaint(void *data, const char *line)
{
    GString *err = ((Running *)data)->err;

    if (err->len < LINE_MAX_BYTES)
        g_string_append_printf(err, "%s%s", err->len ? "; " : "", line);
}

static bool run_has_ended(void *data)
{
    return child_has_ended(((Running *)data)->child);
}

char *child_run(const char *const *argv, RunLoop *loop, GError **error)
{
    g_autoptr(GString) out = g_string_new(NULL), err = g_string_new(NULL);
    Running running = { .out = out, .err = err };
    const ChildHandlers handlers = { .stdout_bytes = on_run_output, .stderr_line = on_run_complaint, .data = &running };
    g_autofree char *name = g_path_get_basename(argv[0]);
    const WaitFor wait = {
        .done = run_has_ended, .data = &running, .what = name, .timeout_s = RUN_TIMEOUT_S, .poll_ms = 100
    };
    g_autoptr(Child) child = child_start(argv, NULL, &handlers, error);

    running.child = child;
    if (!child || !run_loop_wait(loop, &wait, error))
        return NULL;
    if (!child_succeeded(child)) {
        g_autofree char *how = how_it_ended(child);

        mt_fail(error, "%s", err->len ? err->str : how);
        return NULL;
    }
    return g_string_free(g_steal_pointer(&out), FALSE);
}
