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
#define HUGE_PAGE_BYTES (2u * 1024 * 1024)
/* Fewer bytes than a small page are written, not spliced. */
#define LEAST_SPLICE_BYTES 4096u
/* With less room than this, a page is used up. Room is counted for the largest records, and compact ones fill only half
 * of it each time: without this limit, the pieces at a page's end would become so small that they are written. */
#define LEAST_ROOM_BYTES (64u * 1024)
/* This many bytes are gathered before they are passed on, as that wakes up the reader: with several vCPUs, records come
 * in chunks of RING_CHUNK_BYTES. When no more records come for now, all that are pending are passed on. */
#define ENOUGH_BYTES (256u * 1024)
/* What a record needs at most, in either format. */
#define RECORD_BYTES sizeof(struct gmbeoo_record)

/*
 * How records get into the pipe. With write(), the kernel allocates, charges and frees a page of 4 KiB for every 256
 * records, which takes as long as copying them. So we copy them into a huge page of our own, and vmsplice() makes parts
 * of it part of the pipe. What has been spliced is never written to again. When all of the page has been spliced, we
 * drop it (MADV_DONTNEED) and get a new one. The old one lives as long as anybody holds a part of it: the pipe, or
 * wherever a reader has spliced or teed that to. Without huge pages, and for few records, write() is faster.
 */
struct Fifo {
    char *path;
    Ring *ring;
    int fd;
    bool compact;
    bool splices;             /* there are huge pages, and pipes take them */
    uint8_t *reserved, *page; /* address space, and HUGE_PAGE_BYTES of it */
    size_t spliced, pending;  /* bytes of the page: those that were spliced, and behind them those that wait */
    size_t pending_records;
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

/* Gets a new page. If the kernel gives small pages instead, the second access causes another page fault. */
static void renew_page(Fifo *fifo)
{
    long faults;

    if (madvise(fifo->page, HUGE_PAGE_BYTES, MADV_DONTNEED)) {
        fifo->splices = false;
        return;
    }
    fifo->spliced = 0;
    *(volatile uint8_t *)fifo->page = 0;
    faults = page_faults();
    *(volatile uint8_t *)(fifo->page + HUGE_PAGE_BYTES - 1) = 0;
    fifo->splices = page_faults() == faults;
}

static void map_page(Fifo *fifo)
{
    void *reserved = mmap(NULL, 2 * HUGE_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (reserved == MAP_FAILED)
        return;
    fifo->reserved = reserved;
    fifo->page = fifo->reserved + (-(uintptr_t)reserved & (HUGE_PAGE_BYTES - 1));
    if (!madvise(fifo->page, HUGE_PAGE_BYTES, MADV_HUGEPAGE))
        renew_page(fifo);
}

Fifo *fifo_new(const char *path, Ring *ring, bool compact)
{
    Fifo *fifo = g_new0(Fifo, 1);

    fifo->path = g_strdup(path);
    fifo->ring = ring;
    fifo->fd = -1;
    fifo->compact = compact;
    map_page(fifo);
    return fifo;
}

void fifo_free(Fifo *fifo)
{
    if (!fifo)
        return;
    if (fifo->fd >= 0)
        close(fifo->fd);
    if (fifo->reserved)
        munmap(fifo->reserved, 2 * HUGE_PAGE_BYTES);
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

/* Writes bytes, or splices them if that is allowed (they lie in the page). False if that fails, or the run was given
 * up. */
static bool put(Fifo *fifo, const uint8_t *bytes, size_t left, bool may_splice)
{
    while (left) {
        ssize_t n = may_splice ? vmsplice(fifo->fd, &(struct iovec){ (void *)bytes, left }, 1, SPLICE_F_NONBLOCK)
                               : write(fifo->fd, bytes, left);

        if (n >= 0) {
            bytes += n;
            left -= (size_t)n;
            atomic_fetch_add_explicit(&fifo->written, (uint64_t)n, memory_order_relaxed);
        } else if (errno == EAGAIN) {
            poll(&(struct pollfd){ .fd = fifo->fd, .events = POLLOUT }, 1, FULL_POLL_MS);
            if (ring_is_closed(fifo->ring))
                return false;
        } else if (may_splice && errno != EINTR && errno != EPIPE) {
            may_splice = fifo->splices = false; /* from now on, write() is used */
        } else if (errno != EINTR) {
            atomic_store(&fifo->failure, errno);
            return false;
        }
    }
    return true;
}

/* Passes on what is pending. */
static bool flush(Fifo *fifo)
{
    bool may_splice = fifo->pending >= LEAST_SPLICE_BYTES;

    if (!fifo->pending)
        return true;
    if (!put(fifo, fifo->page + fifo->spliced, fifo->pending, may_splice))
        return false;
    atomic_fetch_add_explicit(&fifo->records, fifo->pending_records, memory_order_relaxed);
    if (may_splice)
        fifo->spliced += fifo->pending;
    fifo->pending = fifo->pending_records = 0;
    return true;
}

/* Copies the first of `count` records into the page, which has LEAST_ROOM_BYTES. Returns how many; 0 on failure. */
static size_t append(Fifo *fifo, const struct gmbeoo_record *records, size_t count)
{
    size_t room = HUGE_PAGE_BYTES - fifo->spliced - fifo->pending, n = MIN(count, room / RECORD_BYTES),
           bytes = n * RECORD_BYTES;
    uint8_t *to = fifo->page + fifo->spliced + fifo->pending;

    if (fifo->compact)
        bytes = ring_make_compact(records, n, (uint64_t *)to);
    else
        memcpy(to, records, bytes);
    fifo->pending += bytes;
    fifo->pending_records += n;
    if (fifo->pending < ENOUGH_BYTES && room - bytes >= LEAST_ROOM_BYTES)
        return n;
    if (!flush(fifo))
        return 0;
    if (fifo->splices && room - bytes < LEAST_ROOM_BYTES)
        renew_page(fifo);
    return n;
}

/* Writes the first of `count` records. Returns how many; 0 on failure. */
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
        size_t n = fifo->splices ? append(fifo, records, count) : write_some(fifo, records, count);

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
