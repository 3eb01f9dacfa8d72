/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Our standard input, passed on to the workload: see standard_input.h. */
#define _GNU_SOURCE
#include "standard_input.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../base/terminal_mode.h"
#include "host_view.h"

#define PIECE_BYTES (64u * 1024) /* as much as the guest may ask for */
#define LOOK_AGAIN_MS 200
#define ESCAPE_KEY 0x1d         /* Ctrl-] */
#define HELD_BYTES (32u * 1024) /* large enough for what is pasted */

struct StandardInput {
    StandardInputHandlers handlers;
    int fd; /* what is read: ours, or opened anew, so that it doesn't block and others don't notice */
    bool is_socket, is_terminal, is_raw, is_file, is_passed_on, at_end;
    bool waits_for_raw; /* the terminal isn't raw yet, and isn't read before */
    off_t began_at;     /* -1: it can't be set back */
    uint64_t wanted, passed_on;
    guint readable, look_again, window; /* sources */
    GByteArray *held;                   /* typed on a raw terminal, and not wanted yet */
};

/* What it is. */

static bool is_null_device(const struct stat *status)
{
    return S_ISCHR(status->st_mode) && status->st_rdev == makedev(1, 3);
}

/* The path of the file that standard input is, if the guest finds the same file there; or NULL. */
static char *find_file(const struct stat *status)
{
    g_autofree char *path = g_file_read_link("/proc/self/fd/0", NULL);
    int flags = fcntl(STDIN_FILENO, F_GETFL), fd;
    struct stat there;
    bool same;

    if (!S_ISREG(status->st_mode) || !path || strlen(path) >= PATH_MAX || host_view_is_guests_own(path) || flags < 0 ||
        (flags & O_ACCMODE) == O_WRONLY)
        return NULL;
    fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    same = fd >= 0 && !fstat(fd, &there) && there.st_dev == status->st_dev && there.st_ino == status->st_ino;
    if (fd >= 0)
        close(fd);
    return same ? g_steal_pointer(&path) : NULL;
}

/* Another process may read the same input between our poll() and our read(): then the read must not block. */
static int open_anew(const struct stat *status)
{
    int fd = -1;

    if (S_ISFIFO(status->st_mode) || S_ISCHR(status->st_mode))
        fd = open("/proc/self/fd/0", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return fd >= 0 ? fd : STDIN_FILENO;
}

/* Reading. */

static void listen_to(StandardInput *input);

/* How much may be read now. */
static size_t most(const StandardInput *input)
{
    if (input->waits_for_raw)
        return 0;
    return input->is_raw ? HELD_BYTES - input->held->len : input->wanted;
}

static bool is_in_background(const StandardInput *input)
{
    return input->is_terminal && !terminal_mode_may_read(input->fd);
}

static ssize_t read_some(StandardInput *input, uint8_t *bytes, size_t length)
{
    return input->is_socket ? recv(input->fd, bytes, length, MSG_DONTWAIT) : read(input->fd, bytes, length);
}

static void pass_on(StandardInput *input, const uint8_t *bytes, size_t length)
{
    input->handlers.bytes(input->handlers.data, bytes, length);
    input->wanted -= length;
    input->passed_on += length;
}

static void pass_on_held(StandardInput *input)
{
    size_t length = MIN(input->wanted, input->held->len);

    if (!length)
        return;
    pass_on(input, input->held->data, length);
    g_byte_array_remove_range(input->held, 0, (guint)length);
}

/* A raw terminal is read even when nothing is wanted, so that Ctrl-] works. What is typed after it is dropped. */
static void take_typed(StandardInput *input, const uint8_t *bytes, size_t length)
{
    const uint8_t *escape = memchr(bytes, ESCAPE_KEY, length);
    size_t before = escape ? (size_t)(escape - bytes) : length;

    g_byte_array_append(input->held, bytes, (guint)before);
    pass_on_held(input);
    if (escape)
        input->handlers.escape(input->handlers.data);
}

static gboolean on_readable(gint fd, GIOCondition condition, gpointer data)
{
    static uint8_t bytes[PIECE_BYTES];
    StandardInput *input = data;
    ssize_t n;

    (void)fd;
    (void)condition;
    if (is_in_background(input)) { /* a shell, say, has the foreground now, and reads the terminal */
        input->readable = 0;
        listen_to(input);
        return G_SOURCE_REMOVE;
    }
    n = read_some(input, bytes, MIN(sizeof bytes, most(input)));
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return G_SOURCE_CONTINUE;
    input->readable = 0;
    if (n > 0 && input->is_raw) {
        take_typed(input, bytes, (size_t)n);
    } else if (n > 0) {
        if (input->is_terminal)
            input->handlers.typed(input->handlers.data);
        pass_on(input, bytes, (size_t)n);
    } else { /* an input that can't be read counts as empty */
        input->at_end = true;
        input->handlers.bytes(input->handlers.data, NULL, 0);
    }
    listen_to(input);
    return G_SOURCE_REMOVE;
}

static gboolean on_look_again(gpointer data)
{
    StandardInput *input = data;

    input->look_again = 0;
    listen_to(input);
    return G_SOURCE_REMOVE;
}

static void listen_to(StandardInput *input)
{
    if (!most(input) || input->at_end || input->readable || input->look_again)
        return;
    if (is_in_background(input))
        input->look_again = g_timeout_add(LOOK_AGAIN_MS, on_look_again, input);
    else
        input->readable = g_unix_fd_add(input->fd, G_IO_IN | G_IO_HUP | G_IO_ERR, on_readable, input);
}

static void stop_listening(StandardInput *input)
{
    g_clear_handle_id(&input->readable, g_source_remove);
    g_clear_handle_id(&input->look_again, g_source_remove);
    g_clear_handle_id(&input->window, g_source_remove);
}

void standard_input_want(StandardInput *input, uint64_t bytes)
{
    if (!input->is_passed_on)
        return;
    if (!bytes) {
        int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);

        stop_listening(input);
        input->at_end = true;
        if (input->fd != STDIN_FILENO)
            close(input->fd);
        input->fd = STDIN_FILENO;
        if (nothing >= 0 && input->began_at < 0) { /* so that a pipe's writer notices */
            dup2(nothing, STDIN_FILENO);
            close(nothing);
        }
        return;
    }
    /* The guest says so: it is not to fill our memory. */
    input->wanted = MIN(input->wanted + MIN(bytes, PIECE_BYTES), PIECE_BYTES);
    pass_on_held(input);
    listen_to(input);
}

/* The terminal. */

static bool get_window(struct mt_window *window)
{
    struct winsize size;

    if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size))
        return false;
    *window = (struct mt_window){ .rows = size.ws_row, .columns = size.ws_col };
    return true;
}

static gboolean on_resized(gpointer data)
{
    StandardInput *input = data;
    struct mt_window window;

    if (get_window(&window))
        input->handlers.resized(input->handlers.data, &window);
    return G_SOURCE_CONTINUE;
}

void standard_input_begin(StandardInput *input)
{
    if (!input->waits_for_raw)
        return;
    input->waits_for_raw = false;
    input->window = g_unix_signal_add(SIGWINCH, on_resized, input);
    input->is_raw = terminal_mode_enter(true);
    on_resized(input); /* it may be another one than when the workload was started */
    listen_to(input);
}

void standard_input_leave_terminal(StandardInput *input)
{
    if (input->is_raw) {
        stop_listening(input);
        terminal_mode_leave();
        input->at_end = true;
    }
    input->is_raw = false;
}

/* All of it. */

StandardInput *standard_input_new(struct mt_run *run, bool sees_host, bool terminal, char **file,
                                  const StandardInputHandlers *handlers)
{
    StandardInput *input = g_new0(StandardInput, 1);
    struct stat status;

    *file = NULL;
    input->handlers = *handlers;
    input->fd = STDIN_FILENO;
    input->began_at = -1;
    input->held = g_byte_array_new();
    if (fstat(STDIN_FILENO, &status) || is_null_device(&status))
        return input;
    input->began_at = lseek(STDIN_FILENO, 0, SEEK_CUR);
    *file = sees_host ? find_file(&status) : NULL;
    input->is_file = *file;
    if (*file) {
        run->flags |= MT_RUN_STDIN_FILE;
        run->stdin_offset = input->began_at;
        return input;
    }
    input->is_passed_on = true;
    input->is_socket = S_ISSOCK(status.st_mode);
    input->is_terminal = isatty(STDIN_FILENO);
    input->fd = open_anew(&status);
    run->flags |= MT_RUN_STDIN;
    if (terminal) {
        run->flags |= MT_RUN_TERMINAL;
        get_window(&run->window);
        input->waits_for_raw = true;
    }
    return input;
}

void standard_input_finish(StandardInput *input, uint64_t taken)
{
    stop_listening(input);
    if (input->began_at >= 0 && input->is_file && taken <= G_MAXINT64)
        lseek(STDIN_FILENO, (off_t)taken, SEEK_SET);
    else if (input->began_at >= 0 && input->is_passed_on)
        lseek(STDIN_FILENO, input->began_at + (off_t)MIN(taken, input->passed_on), SEEK_SET);
    input->began_at = -1;
    standard_input_leave_terminal(input);
}

void standard_input_free(StandardInput *input)
{
    if (!input)
        return;
    if (!input->is_file) /* after a failed run it isn't known what was taken: we assume nothing */
        standard_input_finish(input, 0);
    stop_listening(input);
    standard_input_leave_terminal(input);
    g_byte_array_unref(input->held);
    if (input->fd != STDIN_FILENO)
        close(input->fd);
    g_free(input);
}
