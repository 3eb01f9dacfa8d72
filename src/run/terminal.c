/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QEMU's monitor on our terminal: see terminal.h. */
#include "terminal.h"

#include <errno.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* After the end of our input the monitor has had its say when it has been silent for so long. */
#define ANSWER_US (300 * 1000)
#define ESCAPE_KEY 0x1d /* Ctrl-] */

struct Terminal {
    int fd;
    guint input, output;
    bool is_terminal, at_end;
    struct termios before;
    char escape;
    gint64 printed_us; /* when the monitor printed last */
};

static void write_all(int fd, const char *bytes, size_t length)
{
    while (length) {
        ssize_t n = write(fd, bytes, length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return; /* its reader is gone; QEMU's end is noticed elsewhere */
        bytes += n;
        length -= (size_t)n;
    }
}

/* Passes on what there is. Returns false at the end. `escape` is the key that interrupts us, or 0. */
static bool pass_on(int from, int to, char escape)
{
    char bytes[4096];
    ssize_t n = read(from, bytes, sizeof bytes);

    if (n > 0 && escape && memchr(bytes, escape, (size_t)n))
        kill(getpid(), SIGINT);
    else if (n > 0)
        write_all(to, bytes, (size_t)n);
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static gboolean on_input(gint fd, GIOCondition condition, gpointer data)
{
    Terminal *terminal = data;

    (void)condition;
    if (pass_on(fd, terminal->fd, terminal->escape))
        return G_SOURCE_CONTINUE;
    terminal->at_end = true;
    terminal->printed_us = g_get_monotonic_time();
    terminal->input = 0;
    return G_SOURCE_REMOVE;
}

static gboolean on_output(gint fd, GIOCondition condition, gpointer data)
{
    Terminal *terminal = data;

    (void)condition;
    terminal->printed_us = g_get_monotonic_time();
    if (pass_on(fd, STDOUT_FILENO, 0))
        return G_SOURCE_CONTINUE;
    terminal->output = 0;
    return G_SOURCE_REMOVE;
}

Terminal *terminal_new(int fd, bool raw)
{
    Terminal *terminal = g_new0(Terminal, 1);

    fflush(stdout);
    terminal->fd = fd;
    terminal->escape = raw ? ESCAPE_KEY : 0;
    if (isatty(STDIN_FILENO) && !tcgetattr(STDIN_FILENO, &terminal->before)) {
        struct termios mode = terminal->before;

        terminal->is_terminal = true;
        mode.c_lflag &= ~(tcflag_t)(ICANON | ECHO); /* the monitor edits its line itself */
        if (raw)
            cfmakeraw(&mode);
        tcsetattr(STDIN_FILENO, TCSANOW, &mode);
    }
    terminal->input = g_unix_fd_add(STDIN_FILENO, G_IO_IN | G_IO_HUP, on_input, terminal);
    terminal->output = g_unix_fd_add(fd, G_IO_IN | G_IO_HUP, on_output, terminal);
    return terminal;
}

void terminal_free(Terminal *terminal)
{
    if (!terminal)
        return;
    if (terminal->input)
        g_source_remove(terminal->input);
    if (terminal->output)
        g_source_remove(terminal->output);
    if (terminal->is_terminal)
        tcsetattr(STDIN_FILENO, TCSANOW, &terminal->before);
    close(terminal->fd);
    g_free(terminal);
}

bool terminal_is_closed(const Terminal *terminal)
{
    return terminal->at_end && g_get_monotonic_time() - terminal->printed_us > ANSWER_US;
}
