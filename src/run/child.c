/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Child processes: see child.h. */
#define _GNU_SOURCE
#include "child.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "error.h"

typedef struct {
    Child *child;
    GDataInputStream *lines;
    void (*line)(void *data, const char *line);
} ChildStream;

struct Child {
    GSubprocess *process;
    ChildHandlers handlers;
    GCancellable *cancellable;
    ChildStream streams[2];
    int pid;
    int open_streams;
    bool exited, ended;
};

/* GLib hands what the kernel can't execute to a shell. We don't want that: only programs and scripts that name their
 * interpreter are started. A file that isn't there is left to exec's error. */
static bool check_format(const char *program, GError **error)
{
    g_autofree char *found = g_find_program_in_path(program);
    unsigned char head[6] = { 0 };
    int fd = found ? open(found, O_RDONLY | O_CLOEXEC) : -1;
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
    sigset_t none;

    (void)data;
    setpgid(0, 0); /* Ctrl-C is for us, who then end the others in order */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
}

static char *how_it_ended(GSubprocess *process)
{
    if (g_subprocess_get_if_signaled(process)) {
        int number = g_subprocess_get_term_sig(process);

        return g_strdup_printf("was killed by signal %d (%s)", number, g_strsignal(number));
    }
    return g_strdup_printf("exited with status %d", g_subprocess_get_exit_status(process));
}

static void check_end(Child *child)
{
    g_autofree char *how = NULL;

    if (!child->exited || child->open_streams || child->ended)
        return;
    child->ended = true;
    how = how_it_ended(child->process);
    if (child->handlers.ended)
        child->handlers.ended(child->handlers.data, how);
}

static void on_line(GObject *source, GAsyncResult *result, gpointer data)
{
    ChildStream *stream = data;
    g_autoptr(GError) error = NULL;
    g_autofree char *line = g_data_input_stream_read_line_finish(G_DATA_INPUT_STREAM(source), result, NULL, &error);

    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return; /* the child has been freed */
    if (!line) {
        stream->child->open_streams--;
        check_end(stream->child);
        return;
    }
    stream->line(stream->child->handlers.data, line);
    g_data_input_stream_read_line_async(stream->lines, G_PRIORITY_DEFAULT, stream->child->cancellable, on_line, stream);
}

static void read_lines(Child *child, ChildStream *stream, GInputStream *from, void (*line)(void *, const char *))
{
    if (!from)
        return;
    stream->child = child;
    stream->line = line;
    stream->lines = g_data_input_stream_new(from);
    child->open_streams++;
    g_data_input_stream_read_line_async(stream->lines, G_PRIORITY_DEFAULT, child->cancellable, on_line, stream);
}

/* A grandchild may hold the streams open: what was printed before the end is read, but not waited for longer. */
static gboolean on_streams_linger(gpointer data)
{
    Child *child = data;

    if (!child->ended) {
        child->open_streams = 0;
        check_end(child);
    }
    return G_SOURCE_REMOVE;
}

static void on_exit_of_child(GObject *source, GAsyncResult *result, gpointer data)
{
    Child *child = data;
    g_autoptr(GError) error = NULL;

    g_subprocess_wait_finish(G_SUBPROCESS(source), result, &error);
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return;
    child->exited = true;
    if (child->open_streams)
        g_timeout_add(500, on_streams_linger, child);
    check_end(child);
}

Child *child_start(const char *const *argv, const ChildFd *fds, const ChildHandlers *handlers, GError **error)
{
    g_autoptr(GSubprocessLauncher) launcher =
        g_subprocess_launcher_new((handlers->stdout_line ? G_SUBPROCESS_FLAGS_STDOUT_PIPE : G_SUBPROCESS_FLAGS_NONE) |
                                  (handlers->stderr_line ? G_SUBPROCESS_FLAGS_STDERR_PIPE : G_SUBPROCESS_FLAGS_NONE));
    g_autoptr(GSubprocess) process = NULL;
    const char *identifier;
    Child *child;

    if (!check_format(argv[0], error))
        return NULL;
    g_subprocess_launcher_set_child_setup(launcher, set_up, NULL, NULL);
    if (!handlers->stdout_line)
        g_subprocess_launcher_take_stdout_fd(launcher, dup(STDERR_FILENO));
    for (; fds && fds->fd >= 0; fds++)
        g_subprocess_launcher_take_fd(launcher, fds->fd, fds->target);
    process = g_subprocess_launcher_spawnv(launcher, argv, error);
    if (!process)
        return NULL;

    child = g_new0(Child, 1);
    child->process = g_steal_pointer(&process);
    child->handlers = *handlers;
    child->cancellable = g_cancellable_new();
    identifier = g_subprocess_get_identifier(child->process);
    child->pid = identifier ? atoi(identifier) : 0; /* it may have ended already */
    read_lines(child, &child->streams[0], g_subprocess_get_stdout_pipe(child->process), handlers->stdout_line);
    read_lines(child, &child->streams[1], g_subprocess_get_stderr_pipe(child->process), handlers->stderr_line);
    g_subprocess_wait_async(child->process, child->cancellable, on_exit_of_child, child);
    return child;
}

void child_free(Child *child)
{
    if (!child)
        return;
    if (child->pid)
        kill(-child->pid, SIGKILL); /* what it has started, too */
    g_subprocess_force_exit(child->process);
    g_subprocess_wait(child->process, NULL, NULL);
    g_cancellable_cancel(child->cancellable);
    while (g_source_remove_by_user_data(child))
        ;
    /* Callbacks that are still to come see that they were cancelled, and don't touch what is freed here. */
    for (int i = 0; i < 2; i++)
        g_clear_object(&child->streams[i].lines);
    g_object_unref(child->cancellable);
    g_object_unref(child->process);
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
    return child->ended && g_subprocess_get_if_exited(child->process) &&
           g_subprocess_get_exit_status(child->process) == 0;
}

void child_signal(Child *child, int signal)
{
    g_subprocess_send_signal(child->process, signal);
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
    if (!child || child->ended || !child->pid)
        return;
    kill(-child->pid, SIGINT);
    child_wait(child, grace_s);
}

char *child_run(const char *const *argv, GError **error)
{
    g_autoptr(GSubprocessLauncher) launcher =
        g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE);
    g_autoptr(GSubprocess) process = NULL;
    g_autofree char *out = NULL, *err = NULL;

    g_subprocess_launcher_set_child_setup(launcher, set_up, NULL, NULL);
    process = g_subprocess_launcher_spawnv(launcher, argv, error);
    if (!process || !g_subprocess_communicate_utf8(process, NULL, NULL, &out, &err, error))
        return NULL;
    if (!g_subprocess_get_successful(process)) {
        mt_fail(error, "%s", *g_strstrip(err) ? err : how_it_ended(process));
        return NULL;
    }
    return g_steal_pointer(&out);
}
