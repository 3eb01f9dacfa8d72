/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Standard output or error, written by a thread of its own: see printer.h. */
#include "printer.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#define LOOK_AGAIN_MS 200

/* Shared by its owner and its thread, which may be stuck in a write when the owner doesn't need it any more. */
struct Printer {
    gatomicrefcount references;
    int fd;
    GMutex lock;
    GCond changed;
    GString *queued;
    gsize in_flight; /* taken by the thread */
    int failure;
    bool closing;
};

static void release(Printer *printer)
{
    if (!g_atomic_ref_count_dec(&printer->references))
        return;
    g_string_free(printer->queued, TRUE);
    g_cond_clear(&printer->changed);
    g_mutex_clear(&printer->lock);
    g_free(printer);
}

static bool is_closing(Printer *printer)
{
    bool closing;

    g_mutex_lock(&printer->lock);
    closing = printer->closing;
    g_mutex_unlock(&printer->lock);
    return closing;
}

/* Returns 0 or an errno. */
static int write_all(Printer *printer, const char *bytes, gsize length)
{
    while (length) {
        ssize_t n = write(printer->fd, bytes, length);

        if (n >= 0) {
            bytes += n;
            length -= (gsize)n;
        } else if (errno == EAGAIN) { /* whoever gave it to us has made it non-blocking */
            if (is_closing(printer))
                return EAGAIN;
            poll(&(struct pollfd){ .fd = printer->fd, .events = POLLOUT }, 1, LOOK_AGAIN_MS);
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

static gpointer print(gpointer data)
{
    Printer *printer = data;

    g_mutex_lock(&printer->lock);
    for (;;) {
        GString *taken;
        int failure;

        while (!printer->queued->len && !printer->closing)
            g_cond_wait(&printer->changed, &printer->lock);
        if (!printer->queued->len)
            break;
        taken = printer->queued;
        printer->queued = g_string_new(NULL);
        printer->in_flight = taken->len;
        failure = printer->failure;
        g_mutex_unlock(&printer->lock);
        if (!failure)
            failure = write_all(printer, taken->str, taken->len);
        g_string_free(taken, TRUE);
        g_mutex_lock(&printer->lock);
        printer->in_flight = 0;
        printer->failure = failure;
        g_cond_broadcast(&printer->changed);
        g_main_context_wakeup(NULL);
    }
    g_mutex_unlock(&printer->lock);
    release(printer);
    return NULL;
}

Printer *printer_new(int fd)
{
    Printer *printer = g_new0(Printer, 1);

    g_atomic_ref_count_init(&printer->references);
    g_atomic_ref_count_inc(&printer->references);
    printer->fd = fd;
    g_mutex_init(&printer->lock);
    g_cond_init(&printer->changed);
    printer->queued = g_string_new(NULL);
    g_thread_unref(g_thread_new("printer", print, printer));
    return printer;
}

void printer_free(Printer *printer, unsigned patience_ms)
{
    gint64 until_us = g_get_monotonic_time() + patience_ms * G_TIME_SPAN_MILLISECOND;

    if (!printer)
        return;
    g_mutex_lock(&printer->lock);
    while ((printer->queued->len || printer->in_flight) &&
           g_cond_wait_until(&printer->changed, &printer->lock, until_us))
        ;
    g_string_truncate(printer->queued, 0);
    printer->closing = true;
    g_cond_broadcast(&printer->changed);
    g_mutex_unlock(&printer->lock);
    release(printer);
}

void printer_write(Printer *printer, const char *bytes, gsize length)
{
    g_mutex_lock(&printer->lock);
    g_string_append_len(printer->queued, bytes, (gssize)length);
    g_cond_broadcast(&printer->changed);
    g_mutex_unlock(&printer->lock);
}

gsize printer_waiting(Printer *printer)
{
    gsize waiting;

    g_mutex_lock(&printer->lock);
    waiting = printer->queued->len + printer->in_flight;
    g_mutex_unlock(&printer->lock);
    return waiting;
}

int printer_failure(Printer *printer)
{
    int failure;

    g_mutex_lock(&printer->lock);
    failure = printer->failure;
    g_mutex_unlock(&printer->lock);
    return failure;
}
