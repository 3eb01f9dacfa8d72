/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that the runner puts into the guest (written beside their place, then renamed into it), and files that it
 * fetches.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent.h"

static struct {
    int fd; /* -1: no file is being received */
    char path[PATH_MAX];
    char partial_path[PATH_MAX + 16];
    struct mt_file meta;
    uint64_t remaining;
} incoming = { .fd = -1 };

void files_stat(const char *path)
{
    struct mt_stat_reply reply = { 0 };
    struct stat status;

    if (!stat(path, &status)) {
        reply.mode = status.st_mode;
        reply.size = (uint64_t)status.st_size;
        reply.mtime_ns = status.st_mtim.tv_sec * 1000000000ll + status.st_mtim.tv_nsec;
    }
    channel_send(MT_FRAME_STAT_REPLY, &reply, sizeof reply);
}

static void make_parents(const char *path)
{
    char parent[PATH_MAX];

    snprintf(parent, sizeof parent, "%s", path);
    for (char *slash = strchr(parent + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(parent, 0755);
        *slash = '/';
    }
}

static void give_up(void)
{
    close(incoming.fd);
    unlink(incoming.partial_path);
    incoming.fd = -1;
}

static void fail(const char *what)
{
    channel_send_error("can't %s %s in the guest: %s", what, incoming.path, strerror(errno));
    if (incoming.fd >= 0)
        give_up();
}

static void finish(void)
{
    struct timespec times[2] = {
        { .tv_nsec = UTIME_OMIT },
        timespec_of_ns(incoming.meta.mtime_ns),
    };

    if (fchmod(incoming.fd, incoming.meta.mode & 07777) || futimens(incoming.fd, times)) {
        fail("set the mode of");
        return;
    }
    close(incoming.fd);
    incoming.fd = -1;
    if (rename(incoming.partial_path, incoming.path)) {
        fail("create");
        return;
    }
    channel_send(MT_FRAME_OK, NULL, 0);
}

void files_begin(const struct mt_file *file, const char *path)
{
    if (incoming.fd >= 0) /* the last one was never finished */
        give_up();
    snprintf(incoming.path, sizeof incoming.path, "%s", path);
    snprintf(incoming.partial_path, sizeof incoming.partial_path, "%s.partial", path);
    incoming.meta = *file;
    incoming.remaining = file->size;
    make_parents(path);
    incoming.fd = open(incoming.partial_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (incoming.fd < 0)
        fail("create");
    else if (!incoming.remaining)
        finish();
}

void files_append(const uint8_t *bytes, size_t length)
{
    if (incoming.fd < 0)
        return; /* the runner has been told */
    if (length > incoming.remaining)
        length = incoming.remaining;
    incoming.remaining -= length;
    while (length) {
        ssize_t n = write(incoming.fd, bytes, length);

        if (n < 0) {
            fail("write");
            return;
        }
        bytes += n;
        length -= (size_t)n;
    }
    if (!incoming.remaining)
        finish();
}

static void send_piece(bool is_last, bool failed, const void *bytes, size_t length)
{
    const struct mt_fetched head = { .is_last = is_last, .failed = failed };

    channel_send2(MT_FRAME_FETCHED, &head, sizeof head, bytes, length);
}

/* Closes `fd` if it isn't the file that is asked for. Returns -1 then. */
static int check_wanted(int fd, const struct mt_fetch *fetch)
{
    struct stat status;

    if (fd < 0 || (!fstat(fd, &status) && S_ISREG(status.st_mode) && (uint64_t)status.st_size <= fetch->max_bytes &&
                   (!fetch->inode || status.st_ino == fetch->inode)))
        return fd;
    close(fd);
    return -1;
}

void files_fetch(const struct mt_fetch *fetch, const char *path)
{
    static uint8_t buffer[64 * 1024];
    int fd = check_wanted(view_open_written(path), fetch);
    ssize_t n = -1;
    uint64_t sent = 0;

    /* The guest's own programs, which run beside the workload, don't see the host's files. */
    if (fd < 0 && fetch->inode && view_is_made())
        fd = check_wanted(open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC), fetch);
    if (fd >= 0)
        while ((n = read(fd, buffer, sizeof buffer)) > 0 && sent <= fetch->max_bytes) {
            send_piece(false, false, buffer, (size_t)n);
            sent += (uint64_t)n;
        }
    send_piece(true, n != 0, NULL, 0);
    if (fd >= 0)
        close(fd);
}
