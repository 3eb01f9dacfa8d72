/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest's serial console, used by a program: see console.h. */
#include "console.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <unistd.h>

#define LAST_WORDS 300

struct Console {
    int fd;
    guint readable;
    GString *text; /* all that came; never holds a NUL */
    gsize done;    /* how much of it was discarded */
};

static gboolean on_readable(gint fd, GIOCondition condition, gpointer data)
{
    Console *console = data;
    char bytes[4096];
    ssize_t n = read(fd, bytes, sizeof bytes);

    (void)condition;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return G_SOURCE_CONTINUE;
    if (n <= 0) { /* QEMU is gone: that is noticed by its end */
        console->readable = 0;
        return G_SOURCE_REMOVE;
    }
    for (ssize_t i = 0; i < n; i++)
        if (bytes[i])
            g_string_append_c(console->text, bytes[i]);
    return G_SOURCE_CONTINUE;
}

Console *console_new(int fd)
{
    Console *console = g_new0(Console, 1);

    console->fd = fd;
    console->text = g_string_new(NULL);
    console->readable = g_unix_fd_add(fd, G_IO_IN | G_IO_HUP, on_readable, console);
    return console;
}

void console_free(Console *console)
{
    if (!console)
        return;
    if (console->readable)
        g_source_remove(console->readable);
    g_string_free(console->text, TRUE);
    close(console->fd);
    g_free(console);
}

void console_type(Console *console, const char *text)
{
    (void)!write(console->fd, text, strlen(text)); /* if QEMU is gone, that is noticed by its end */
}

const char *console_find(const Console *console, const char *text)
{
    return strstr(console->text->str + console->done, text);
}

void console_discard(Console *console)
{
    console->done = console->text->len;
}

char *console_last_words(const Console *console)
{
    gsize length = MIN(console->text->len, LAST_WORDS);
    g_autofree char *words = g_strdup(console->text->str + console->text->len - length);

    for (char *c = words; *c; c++)
        if (g_ascii_iscntrl(*c) || (guchar)*c > 126)
            *c = ' ';
    return g_strstrip(g_steal_pointer(&words));
}
