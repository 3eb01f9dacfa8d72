/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For use without a runner: a thread in QEMU takes records out of the ring and writes them to a FIFO or file. */
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin.h"

struct PluginOutput {
    Ring *ring;
    char *path;
    int fd;
    bool compact;
    uint64_t words[2 * RING_PIECE_RECORDS]; /* for the compact format */
    GThread *thread;
};

static bool write_records(void *data, const struct gmbeoo_record *records, size_t count)
{
    PluginOutput *output = data;
    const uint8_t *bytes = (const uint8_t *)records;
    size_t left = count * sizeof *records;

    if (output->compact) {
        bytes = (const uint8_t *)output->words;
        left = ring_make_compact(records, count, output->words);
    }
    while (left) {
        ssize_t n = write(output->fd, bytes, left);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            fprintf(stderr, "libgmbe: ATTENTION: can't write to %s: %s; from now on records are lost\n", output->path,
                    g_strerror(errno));
            return false;
        }
        bytes += n;
        left -= (size_t)n;
    }
    return true;
}

static gpointer output_thread(gpointer data)
{
    PluginOutput *output = data;
    sigset_t all;

    sigfillset(&all); /* QEMU's signals are for its own threads; a reader that has gone is seen as EPIPE */
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    ring_consume(output->ring, write_records, output);
    return NULL;
}

/* Opens a FIFO for writing, when it has a reader. */
static int open_fifo(const char *path)
{
    int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0 && errno == ENXIO) {
        fprintf(stderr, "libgmbe: waiting for a reader of %s\n", path);
        fd = open(path, O_WRONLY | O_CLOEXEC);
    } else if (fd >= 0) {
        fcntl(fd, F_SETFL, 0);
    }
    return fd;
}

/* Opens the output. A file that has contents is refused: it may be a trace, or the guest's disk. */
static int open_output(const char *path, GError **error)
{
    struct stat status;
    bool is_fifo = !stat(path, &status) && S_ISFIFO(status.st_mode);
    int fd = is_fifo ? open_fifo(path) : open(path, O_WRONLY | O_CREAT | O_NOCTTY | O_CLOEXEC, 0666);

    if (fd < 0) {
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno), "can't open %s: %s", path, g_strerror(errno));
        return -1;
    }
    if (!fstat(fd, &status) && S_ISREG(status.st_mode) && status.st_size) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_EXISTS,
                    "%s is there already, and not empty: remove it, or choose another name", path);
        close(fd);
        return -1;
    }
    return fd;
}

PluginOutput *output_new(Ring *ring, const PluginOptions *options, GError **error)
{
    const char *path = options->out;
    int fd = open_output(path, error);
    PluginOutput *output;

    if (fd < 0)
        return NULL;
    output = g_new0(PluginOutput, 1);
    output->ring = ring;
    output->compact = options->record_format == RECORDS_COMPACT;
    output->path = g_strdup(path);
    output->fd = fd;
    output->thread = g_thread_new("gmbe-output", output_thread, output);
    return output;
}

bool output_is_lost(const PluginOutput *output)
{
    struct pollfd polled = { .fd = output->fd };

    /* A FIFO whose last reader has gone is in error before anything is written to it. */
    return ring_is_closed(output->ring) || (poll(&polled, 1, 0) > 0 && (polled.revents & POLLERR));
}

void output_finish(PluginOutput *output)
{
    g_thread_join(output->thread);
    close(output->fd);
    g_free(output->path);
    g_free(output);
}
