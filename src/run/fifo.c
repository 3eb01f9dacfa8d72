/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A FIFO that records are written to: see fifo.h. */
#define _GNU_SOURCE
#include "fifo.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "error.h"
#include "paths.h"

#define FULL_POLL_MS 200

struct Fifo {
    char *path;
    Ring *ring;
    int fd;
    bool compact;
    uint64_t words[2 * RING_PIECE_RECORDS]; /* for the compact format */
    _Atomic uint64_t written, records;
    _Atomic int failure;
};

Fifo *fifo_new(const char *path, Ring *ring, bool compact)
{
    Fifo *fifo = g_new0(Fifo, 1);

    fifo->path = g_strdup(path);
    fifo->ring = ring;
    fifo->fd = -1;
    fifo->compact = compact;
    return fifo;
}

void fifo_free(Fifo *fifo)
{
    if (!fifo)
        return;
    if (fifo->fd >= 0)
        close(fifo->fd);
    g_free(fifo->path);
    g_free(fifo);
}

int fifo_try_open(Fifo *fifo, GError **error)
{
    fifo->fd = open(fifo->path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (fifo->fd < 0 && errno == ENXIO)
        return 0;
    if (fifo->fd < 0) {
        mt_fail(error, "can't open %s: %s", fifo->path, g_strerror(errno));
        return -1;
    }
    if (fcntl(fifo->fd, F_GETPIPE_SZ) < paths_pipe_max_size())
        fcntl(fifo->fd, F_SETPIPE_SZ, paths_pipe_max_size()); /* a wish: a small pipe is slower, not wrong */
    return 1;
}

bool fifo_write(void *data, const struct gmbeoo_record *records, size_t count)
{
    Fifo *fifo = data;
    const uint8_t *bytes = (const uint8_t *)records;
    size_t left = count * sizeof *records;

    if (fifo->compact) {
        bytes = (const uint8_t *)fifo->words;
        left = ring_make_compact(records, count, fifo->words);
    }
    while (left) {
        ssize_t n = write(fifo->fd, bytes, left);

        if (n >= 0) {
            bytes += n;
            left -= (size_t)n;
            atomic_fetch_add_explicit(&fifo->written, (uint64_t)n, memory_order_relaxed);
        } else if (errno == EAGAIN) {
            poll(&(struct pollfd){ .fd = fifo->fd, .events = POLLOUT }, 1, FULL_POLL_MS);
            if (ring_is_closed(fifo->ring))
                return false; /* the run has been given up */
        } else if (errno != EINTR) {
            atomic_store(&fifo->failure, errno);
            return false;
        }
    }
    atomic_fetch_add_explicit(&fifo->records, count, memory_order_relaxed);
    return true;
}

size_t fifo_unread_bytes(const Fifo *fifo)
{
    int bytes = 0;

    ioctl(fifo->fd, FIONREAD, &bytes);
    return (size_t)bytes;
}

uint64_t fifo_written_bytes(const Fifo *fifo)
{
    return atomic_load_explicit(&fifo->written, memory_order_relaxed);
}

uint64_t fifo_written_records(const Fifo *fifo)
{
    return atomic_load_explicit(&fifo->records, memory_order_relaxed);
}

int fifo_failure(const Fifo *fifo)
{
    return atomic_load(&fifo->failure);
}
