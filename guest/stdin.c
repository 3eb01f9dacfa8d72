/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The workload's standard input, as the runner passes it on: bytes that go into a pipe, or are typed on a terminal; or
 * a file that both sides have.
 *
 * The runner sends only what we ask for. We ask for as much as there is room in the pipe: so never more than
 * AHEAD_BYTES have been read from the runner's input that the workload hasn't read. While the workload is traced, all
 * of this is in the trace; so we do nothing unless there is room, and input may come.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "agent.h"

#define AHEAD_BYTES (64u * 1024) /* a pipe's size */
#define TYPED_AHEAD_BYTES 1024u  /* a terminal's line is 4095 bytes at most */
/* If there is less room than this, we let the workload, which reads little at a time, read more before we ask. */
#define LITTLE_BYTES (16u * 1024)
#define LET_IT_READ_US 1000
#define END_OF_FILE_KEY "\004"

static struct {
    int to;       /* the pipe's end, or the terminal's; -1: there is nothing to feed */
    int file;     /* the file; or -1 */
    int leftover; /* the pipe's read end, after the end of the input: tells how much wasn't read; or -1 */
    bool is_terminal, at_end;
    uint8_t waiting[AHEAD_BYTES]; /* received, and not in the pipe yet */
    size_t waiting_from, waiting_to;
    uint64_t received, asked_for;
} in = { .to = -1, .file = -1, .leftover = -1 };

static void reset(void)
{
    stdin_close();
    in.is_terminal = in.at_end = false;
    in.waiting_from = in.waiting_to = 0;
    in.received = in.asked_for = 0;
}

static size_t waiting(void)
{
    return in.waiting_to - in.waiting_from;
}

/* What is in the pipe and was not read yet. */
static size_t in_pipe(void)
{
    int bytes = 0, fd = in.leftover >= 0 ? in.leftover : in.to;

    return !in.is_terminal && fd >= 0 && !ioctl(fd, FIONREAD, &bytes) && bytes > 0 ? (size_t)bytes : 0;
}

static void ask(void)
{
    size_t most = in.is_terminal ? TYPED_AHEAD_BYTES : AHEAD_BYTES;
    size_t ahead = waiting() + in_pipe() + (size_t)(in.asked_for - in.received);
    struct mt_stdin_wanted wanted = { .bytes = most > ahead ? most - ahead : 0 };

    if (!wanted.bytes)
        return;
    in.asked_for += wanted.bytes;
    channel_send(MT_FRAME_STDIN_WANTED, &wanted, sizeof wanted);
}

/* Tells the runner that nobody will read any more, so that it stops reading its input. */
static void tell_nobody_reads(void)
{
    const struct mt_stdin_wanted nothing = { 0 };

    channel_send(MT_FRAME_STDIN_WANTED, &nothing, sizeof nothing);
}

/* Ends the workload's input. From then on, only the pipe's read end tells how much is still in the pipe. */
static void close_pipe(void)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/self/fd/%d", in.to);
    in.leftover = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    close(in.to);
    in.to = -1;
}

static void end_input(void)
{
    if (in.is_terminal)
        (void)!write(in.to, END_OF_FILE_KEY, 1);
    else
        close_pipe();
}

/* Passes on what there is room for. */
static void feed(void)
{
    while (in.to >= 0 && waiting()) {
        ssize_t n = write(in.to, in.waiting + in.waiting_from, waiting());

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN) {
            close_pipe();
            tell_nobody_reads();
        }
        if (n < 0)
            return;
        in.waiting_from += (size_t)n;
    }
    in.waiting_from = in.waiting_to = 0;
    if (in.at_end && in.to >= 0)
        end_input();
}

int stdin_open_file(const struct request *request)
{
    int fd = view_open(request->stdin_file);

    if (fd >= 0 && lseek(fd, request->run.stdin_offset, SEEK_SET) < 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

int stdin_open(const struct request *request)
{
    int ends[2], fd;

    reset();
    if (request->run.flags & MT_RUN_STDIN_FILE) {
        fd = stdin_open_file(request);
        in.file = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
        return fd;
    }
    if (!(request->run.flags & MT_RUN_STDIN))
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (pipe2(ends, O_CLOEXEC))
        return -1;
    in.to = ends[1];
    fcntl(in.to, F_SETFL, O_NONBLOCK);
    ask();
    return ends[0];
}

void stdin_type_on(int terminal)
{
    reset();
    in.to = fcntl(terminal, F_DUPFD_CLOEXEC, 0);
    in.is_terminal = true;
    ask();
}

void stdin_receive(const uint8_t *bytes, size_t length)
{
    if (in.to < 0 || in.at_end || length > in.asked_for - in.received)
        return; /* nobody reads any more, or it was not asked for */
    if (in.waiting_to + length > sizeof in.waiting) {
        memmove(in.waiting, in.waiting + in.waiting_from, waiting());
        in.waiting_to = waiting();
        in.waiting_from = 0;
    }
    memcpy(in.waiting + in.waiting_to, bytes, length);
    in.waiting_to += length;
    in.received += length;
    in.at_end = !length;
    feed();
}

void stdin_poll(struct pollfd *polled)
{
    bool wants_room = waiting() || (!in.at_end && in.asked_for == in.received);

    /* Even without events it tells when nobody reads any more. */
    *polled = (struct pollfd){ .fd = in.is_terminal && !wants_room ? -1 : in.to, .events = wants_room ? POLLOUT : 0 };
}

/* A pipe that was full has room again: poll() says so as soon as one page is free. */
static void let_it_read(void)
{
    if (in.is_terminal || waiting())
        return;
    if (in_pipe() > AHEAD_BYTES - LITTLE_BYTES)
        usleep(LET_IT_READ_US);
    if (in_pipe() >= AHEAD_BYTES) /* the workload has made the pipe larger: there would always be room */
        fcntl(in.to, F_SETPIPE_SZ, AHEAD_BYTES);
}

void stdin_progress(const struct pollfd *polled)
{
    if (in.to < 0 || polled->fd != in.to)
        return;
    if (polled->revents & (POLLERR | POLLHUP) && !in.is_terminal) {
        close_pipe();
        tell_nobody_reads();
    } else if (polled->revents & POLLOUT) {
        let_it_read();
        feed();
        if (in.to >= 0 && !in.at_end && !waiting() && in.asked_for == in.received)
            ask();
    }
}

uint64_t stdin_taken(void)
{
    off_t offset = in.file >= 0 ? lseek(in.file, 0, SEEK_CUR) : 0;

    return in.file >= 0 ? (uint64_t)(offset < 0 ? 0 : offset) : in.received - waiting() - in_pipe();
}

void stdin_close(void)
{
    int *const fds[] = { &in.to, &in.file, &in.leftover };

    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
}
