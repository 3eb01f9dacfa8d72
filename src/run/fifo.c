/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A FIFO that records are written to: see fifo.h. */
#define _GNU_SOURCE
#include "fifo.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../base/error.h"
#include "../base/paths.h"

#define FULL_POLL_MS 200
/* A huge page. */
#define GIFT_BYTES (2u * 1024 * 1024)
/* Fewer bytes than a page are written. */
#define LEAST_GIFT 4096u
/* With less room than that, a gift is used up. As room is needed for what records take at most, compact ones fill but
 * half of it each time: what is left must not become so small that all of what it takes is written. */
#define LEAST_ROOM (64u * 1024)
/* So many bytes are held before they are passed on, which wakes up the reader: with several vCPUs, records come by
 * chunks of RING_CHUNK_BYTES. When there are no more for now, nothing is held. */
#define ENOUGH (256u * 1024)
/* What a record needs at most, in either format. */
#define RECORD_BYTES sizeof(struct gmbeoo_record)

/*
 * How records get into the pipe. write() lets the kernel allocate, charge and free a page of 4 KiB for every 256
 * records, which takes as long as copying them. So we copy them into a huge page of our own, and vmsplice() makes it
 * part of the pipe. It is a gift: what has been spliced is never written to again, and when all of the page has been,
 * we forget it (MADV_DONTNEED) and get a new one. It lives as long as anybody holds a part of it: the pipe, or wherever
 * a reader has spliced or teed that to. Where there are no huge pages, and for few records, write() is the faster way.
 */
struct Fifo {
    char *path;
    Ring *ring;
    int fd;
    bool compact;
    bool gives;               /* there are huge pages, and pipes take them */
    uint8_t *reserved, *gift; /* address space, and GIFT_BYTES of it */
    size_t given, held;       /* bytes of the gift: in the pipe, and after these, not yet */
    size_t held_records;
    uint64_t words[2 * RING_PIECE_RECORDS]; /* for the compact format, when they are written */
    _Atomic uint64_t written, records;
    _Atomic int failure;
};

static long page_faults(void)
{
    struct rusage usage;

    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_minflt;
}

/* Gets a new page. Without huge ones we get only a part of it with the first access. */
static void renew_gift(Fifo *fifo)
{
    long faults;

    if (madvise(fifo->gift, GIFT_BYTES, MADV_DONTNEED)) {
        fifo->gives = false;
        return;
    }
    fifo->given = 0;
    *(volatile uint8_t *)fifo->gift = 0;
    faults = page_faults();
    *(volatile uint8_t *)(fifo->gift + GIFT_BYTES - 1) = 0;
    fifo->gives = page_faults() == faults;
}

static void begin_giving(Fifo *fifo)
{
    void *reserved = mmap(NULL, 2 * GIFT_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (reserved == MAP_FAILED)
        return;
    fifo->reserved = reserved;
    fifo->gift = fifo->reserved + (-(uintptr_t)reserved & (GIFT_BYTES - 1));
    if (!madvise(fifo->gift, GIFT_BYTES, MADV_HUGEPAGE))
        renew_gift(fifo);
}

Fifo *fifo_new(const char *path, Ring *ring, bool compact)
{
    Fifo *fifo = g_new0(Fifo, 1);

    fifo->path = g_strdup(path);
    fifo->ring = ring;
    fifo->fd = -1;
    fifo->compact = compact;
    begin_giving(fifo);
    return fifo;
}

void fifo_free(Fifo *fifo)
{
    if (!fifo)
        return;
    if (fifo->fd >= 0)
        close(fifo->fd);
    if (fifo->reserved)
        munmap(fifo->reserved, 2 * GIFT_BYTES);
    g_free(fifo->path);
    g_free(fifo);
}

/* Opens the FIFO and nothing else: a workload's warm-up may have put something else there, which isn't to be written to
 * (nor, if it is a device, opened). Returns -1 with errno; EINVAL: it is no FIFO. */
static int open_fifo(const char *path)
{
    g_autofree char *link = NULL;
    struct stat status;
    int there = open(path, O_PATH | O_CLOEXEC), fd = -1, reason;

    if (there < 0)
        return -1;
    link = g_strdup_printf("/proc/self/fd/%d", there);
    if (fstat(there, &status))
        reason = errno;
    else if (!S_ISFIFO(status.st_mode))
        reason = EINVAL;
    else
        reason = (fd = open(link, O_WRONLY | O_NONBLOCK | O_CLOEXEC)) < 0 ? errno : 0;
    close(there);
    errno = reason;
    return fd;
}

int fifo_try_open(Fifo *fifo, GError **error)
{
    fifo->fd = open_fifo(fifo->path);
    if (fifo->fd < 0 && errno == ENXIO)
        return 0;
    if (fifo->fd < 0) {
        mt_fail(error, "can't open %s: %s", fifo->path, errno == EINVAL ? "it is no longer a FIFO" : g_strerror(errno));
        return -1;
    }
    if (fcntl(fifo->fd, F_GETPIPE_SZ) < paths_pipe_max_size())
        fcntl(fifo->fd, F_SETPIPE_SZ, paths_pipe_max_size()); /* a wish: a small pipe is slower, not wrong */
    return 1;
}

/* Writes or, if they lie in the gift, gives bytes. False if that can't be done, or the run has been given up. */
static bool put(Fifo *fifo, const uint8_t *bytes, size_t left, bool give)
{
    while (left) {
        ssize_t n = give ? vmsplice(fifo->fd, &(struct iovec){ (void *)bytes, left }, 1, SPLICE_F_NONBLOCK)
                         : write(fifo->fd, bytes, left);

        if (n >= 0) {
            bytes += n;
            left -= (size_t)n;
            atomic_fetch_add_explicit(&fifo->written, (uint64_t)n, memory_order_relaxed);
        } else if (errno == EAGAIN) {
            poll(&(struct pollfd){ .fd = fifo->fd, .events = POLLOUT }, 1, FULL_POLL_MS);
            if (ring_is_closed(fifo->ring))
                return false;
        } else if (give && errno != EINTR && errno != EPIPE) {
            give = fifo->gives = false; /* then write() must do */
        } else if (errno != EINTR) {
            atomic_store(&fifo->failure, errno);
            return false;
        }
    }
    return true;
}

/* Passes on what is held. */
static bool flush(Fifo *fifo)
{
    bool give = fifo->held >= LEAST_GIFT;

    if (!fifo->held)
        return true;
    if (!put(fifo, fifo->gift + fifo->given, fifo->held, give))
        return false;
    atomic_fetch_add_explicit(&fifo->records, fifo->held_records, memory_order_relaxed);
    if (give)
        fifo->given += fifo->held;
    fifo->held = fifo->held_records = 0;
    return true;
}

/* Takes the first of `count` records into the gift, which has LEAST_ROOM. Returns how many, or 0 with a problem. */
static size_t hold(Fifo *fifo, const struct gmbeoo_record *records, size_t count)
{
    size_t room = GIFT_BYTES - fifo->given - fifo->held, n = MIN(count, room / RECORD_BYTES), bytes = n * RECORD_BYTES;
    uint8_t *to = fifo->gift + fifo->given + fifo->held;

    if (fifo->compact)
        bytes = ring_make_compact(records, n, (uint64_t *)to);
    else
        memcpy(to, records, bytes);
    fifo->held += bytes;
    fifo->held_records += n;
    if (fifo->held < ENOUGH && room - bytes >= LEAST_ROOM)
        return n;
    if (!flush(fifo))
        return 0;
    if (fifo->gives && room - bytes < LEAST_ROOM)
        renew_gift(fifo);
    return n;
}

/* Writes the first of `count` records. Returns how many, or 0 with a problem. */
static size_t write_some(Fifo *fifo, const struct gmbeoo_record *records, size_t count)
{
    size_t n = MIN(count, RING_PIECE_RECORDS), bytes = n * RECORD_BYTES;

    if (fifo->compact)
        bytes = ring_make_compact(records, n, fifo->words);
    if (!put(fifo, fifo->compact ? (const uint8_t *)fifo->words : (const uint8_t *)records, bytes, false))
        return 0;
    atomic_fetch_add_explicit(&fifo->records, n, memory_order_relaxed);
    return n;
}

bool fifo_write(void *data, const struct gmbeoo_record *records, size_t count)
{
    Fifo *fifo = data;

    if (!count)
        return flush(fifo);
    while (count) {
        size_t n = fifo->gives ? hold(fifo, records, count) : write_some(fifo, records, count);

        if (!n)
            return false;
        records += n;
        count -= n;
    }
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
