/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QEMU's monitor on our terminal: see terminal.h. */
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "../base/printer.h"
#include "../base/terminal_mode.h"

/* After the end of our input, the monitor has answered when it has been silent for this long. */
#define ANSWER_US (300 * 1000)
#define LAST_WORDS_MS 500
#define ESCAPE_KEY 0x1d /* Ctrl-] */

struct Terminal {
    int fd, screen;
    Printer *printer;
    guint input, output, writable;
    GByteArray *typed; /* and not passed on yet */
    bool at_end, raw;
    gint64 printed_us; /* when the monitor printed last */
};

static gboolean on_input(gint fd, GIOCondition condition, gpointer data);

static void listen_to_input(Terminal *terminal)
{
    terminal->input = g_unix_fd_add(STDIN_FILENO, G_IO_IN | G_IO_HUP, on_input, terminal);
}

/* The other side takes what was typed. If it is gone, that is noticed elsewhere. */
static gboolean on_writable(gint fd, GIOCondition condition, gpointer data)
{
    Terminal *terminal = data;
    ssize_t n = write(fd, terminal->typed->data, terminal->typed->len);

    (void)condition;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return G_SOURCE_CONTINUE;
    g_byte_array_remove_range(terminal->typed, 0, n < 0 ? terminal->typed->len : (guint)n);
    if (terminal->typed->len)
        return G_SOURCE_CONTINUE;
    terminal->writable = 0;
    if (!terminal->at_end)
        listen_to_input(terminal);
    return G_SOURCE_REMOVE;
}

/* One read at a time: no more is read before that has been passed on. */
static gboolean on_input(gint fd, GIOCondition condition, gpointer data)
{
    Terminal *terminal = data;
    char bytes[4096];
    ssize_t n = read(fd, bytes, sizeof bytes);

    (void)condition;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return G_SOURCE_CONTINUE;
    if (n > 0 && terminal->raw && memchr(bytes, ESCAPE_KEY, (size_t)n)) {
        kill(getpid(), SIGINT);
        return G_SOURCE_CONTINUE;
    }
    terminal->input = 0;
    if (n > 0) {
        g_byte_array_append(terminal->typed, (const guint8 *)bytes, (guint)n);
        terminal->writable = g_unix_fd_add(terminal->fd, G_IO_OUT, on_writable, terminal);
    } else {
        terminal->at_end = true;
        terminal->printed_us = g_get_monotonic_time();
    }
    return G_SOURCE_REMOVE;
}

static gboolean on_output(gint fd, GIOCondition condition, gpointer data)
{
    Terminal *terminal = data;
    char bytes[4096];
    ssize_t n = read(fd, bytes, sizeof bytes);

    (void)condition;
    terminal->printed_us = g_get_monotonic_time();
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return G_SOURCE_CONTINUE;
    if (n > 0) {
        printer_write(terminal->printer, bytes, (gsize)n);
        return G_SOURCE_CONTINUE;
    }
    terminal->output = 0;
    return G_SOURCE_REMOVE;
}

/* Where people look: standard output is for what scripts read. */
static int open_screen(void)
{
    int fd = isatty(STDERR_FILENO) ? -1 : open("/dev/tty", O_WRONLY | O_CLOEXEC | O_NOCTTY);

    return fd >= 0 ? fd : STDERR_FILENO;
}

Terminal *terminal_new(int fd, bool raw)
{
    Terminal *terminal = g_new0(Terminal, 1);

    terminal->fd = fd;
    terminal->raw = raw;
    terminal->typed = g_byte_array_new();
    terminal->screen = open_screen();
    terminal->printer = printer_new(terminal->screen);
    g_unix_set_fd_nonblocking(fd, TRUE, NULL);
    terminal_mode_enter(raw); /* the monitor edits its line itself */
    listen_to_input(terminal);
    terminal->output = g_unix_fd_add(fd, G_IO_IN | G_IO_HUP, on_output, terminal);
    return terminal;
}

void terminal_free(Terminal *terminal)
{
    if (!terminal)
        return;
    g_clear_handle_id(&terminal->input, g_source_remove);
    g_clear_handle_id(&terminal->output, g_source_remove);
    g_clear_handle_id(&terminal->writable, g_source_remove);
    printer_free(terminal->printer, LAST_WORDS_MS);
    terminal_mode_leave();
    if (terminal->screen != STDERR_FILENO)
        close(terminal->screen);
    g_byte_array_unref(terminal->typed);
    close(terminal->fd);
    g_free(terminal);
}

bool terminal_is_closed(const Terminal *terminal)
{
    return terminal->at_end && g_get_monotonic_time() - terminal->printed_us > ANSWER_US;
}
