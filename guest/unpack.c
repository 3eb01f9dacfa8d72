/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A folder of the host's, unpacked from the transfer drive (archive_format.h). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../src/protocol/archive_format.h"
#include "agent.h"

#define BUFFER_BYTES (1024u * 1024) /* a multiple of ARCHIVE_BLOCK */
#define REPORT_EVERY_US 100000

/* The process that unpacks: its place in the archive. */
static struct {
    int fd;
    uint8_t *buffer;        /* aligned to ARCHIVE_BLOCK; it begins at a multiple of BUFFER_BYTES of the archive */
    uint64_t start, filled; /* of the buffer */
    uint64_t position;
} archive;

/* Ends the process with a message that the agent passes on. */
static void __attribute__((noreturn)) give_up(const char *name)
{
    dprintf(STDERR_FILENO, "%s: %s\n", name, strerror(errno));
    _exit(1);
}

static void __attribute__((noreturn)) damaged(void)
{
    errno = EBADMSG;
    give_up("the archive on the transfer drive");
}

/* Sets *bytes to the buffered bytes at the position, and reads more first if necessary. Returns their number. */
static size_t peek(uint8_t **bytes)
{
    while (archive.position >= archive.start + archive.filled) {
        uint64_t next = archive.position / BUFFER_BYTES * BUFFER_BYTES;
        ssize_t n;

        if (lseek(archive.fd, (off_t)next, SEEK_SET) < 0)
            damaged();
        n = read(archive.fd, archive.buffer, BUFFER_BYTES);
        if (n <= 0 || next + (uint64_t)n <= archive.position)
            damaged();
        archive.start = next;
        archive.filled = (uint64_t)n;
    }
    *bytes = archive.buffer + (archive.position - archive.start);
    return archive.start + archive.filled - archive.position;
}

static void take(void *to, size_t length)
{
    while (length) {
        uint8_t *bytes;
        size_t there = peek(&bytes), piece = there < length ? there : length;

        memcpy(to, bytes, piece);
        to = (uint8_t *)to + piece;
        length -= piece;
        archive.position += piece;
    }
}

static void align(uint64_t alignment)
{
    archive.position = archive_align(archive.position, alignment);
}

/* Writes all of an extent. With direct I/O, whole blocks are written; the excess at the end is cut off later. */
static void write_extent(int fd, const char *name, const struct archive_extent *extent, bool direct)
{
    uint64_t offset = extent->offset, left = extent->length;

    while (left) {
        uint8_t *bytes;
        size_t there = peek(&bytes), piece = there < left ? there : left;
        size_t whole = direct ? archive_align(piece, ARCHIVE_BLOCK) : piece;
        size_t room = BUFFER_BYTES - (size_t)(bytes - archive.buffer);
        ssize_t n = pwrite(fd, bytes, whole < room ? whole : room, (off_t)offset);

        if (n == 0)
            errno = ENOSPC;
        if (n <= 0)
            give_up(name);
        if ((size_t)n < piece)
            piece = (size_t)n;
        offset += piece;
        left -= piece;
        archive.position += piece;
    }
}

static void set_attributes(int fd, const char *name, const struct archive_entry *entry)
{
    const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, timespec_of_ns(entry->mtime_ns) };

    if (fchmod(fd, entry->mode & 07777) || futimens(fd, times))
        give_up(name);
}

static void make_file(const char *name, const struct archive_entry *entry)
{
    int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int direct_fd = open(name, O_RDWR | O_DIRECT | O_CLOEXEC); /* not every file system can do that */
    struct archive_extent extent;

    if (fd < 0)
        give_up(name);
    for (;;) {
        bool large, direct;

        align(ARCHIVE_ALIGNMENT);
        take(&extent, sizeof extent);
        if (!extent.length)
            break;
        large = extent.length >= ARCHIVE_DIRECT_BYTES;
        direct = large && direct_fd >= 0 && extent.offset % ARCHIVE_BLOCK == 0;
        align(large ? ARCHIVE_BLOCK : ARCHIVE_ALIGNMENT);
        write_extent(direct ? direct_fd : fd, name, &extent, direct);
        align(large ? ARCHIVE_BLOCK : ARCHIVE_ALIGNMENT);
    }
    if (ftruncate(fd, (off_t)entry->size))
        give_up(name);
    set_attributes(fd, name, entry);
    close(fd);
    if (direct_fd >= 0)
        close(direct_fd);
}

/* Sets the time of something that can't be opened: a link, a FIFO, a device. */
static void set_time(const char *name, const struct archive_entry *entry)
{
    const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, timespec_of_ns(entry->mtime_ns) };

    if (utimensat(AT_FDCWD, name, times, AT_SYMLINK_NOFOLLOW))
        give_up(name);
}

static void finish_folder(const char *name, const struct archive_entry *entry)
{
    int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        give_up(name);
    set_attributes(fd, name, entry);
    close(fd);
}

/* Makes the next entry's file, link or folder. Returns false at the end of the archive. */
static bool unpack_entry(void)
{
    char name[PATH_MAX], target[PATH_MAX];
    struct archive_entry entry;

    align(ARCHIVE_ALIGNMENT);
    take(&entry, sizeof entry);
    if (entry.magic != ARCHIVE_MAGIC || entry.name_length >= sizeof name || entry.target_length >= sizeof target)
        damaged();
    take(name, entry.name_length);
    take(target, entry.target_length);
    name[entry.name_length] = target[entry.target_length] = 0;
    switch (entry.type) {
    case ARCHIVE_FILE:
        make_file(name, &entry);
        return true;
    case ARCHIVE_FOLDER:
        if (*name && mkdir(name, 0700))
            give_up(name);
        return true;
    case ARCHIVE_ATTRIBUTES:
        finish_folder(*name ? name : ".", &entry);
        return true;
    case ARCHIVE_SYMLINK:
        if (symlink(target, name))
            give_up(name);
        set_time(name, &entry);
        return true;
    case ARCHIVE_HARD_LINK:
        if (link(target, name))
            give_up(name);
        return true;
    case ARCHIVE_NODE:
        if (mknod(name, entry.mode, entry.device) || chmod(name, entry.mode & 07777))
            give_up(name);
        set_time(name, &entry);
        return true;
    case ARCHIVE_END:
        return false;
    default:
        damaged();
    }
}

static void __attribute__((noreturn)) child(int fd, int complaints, const char *path, const struct user *user)
{
    dup2(complaints, STDERR_FILENO);
    /* The user makes the folder, and so owns everything in it. */
    if (!user_become(user) || mkdir(path, 0755) || chdir(path))
        give_up(path);
    umask(0);
    archive.fd = fd;
    archive.buffer = mmap(NULL, BUFFER_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (archive.buffer == MAP_FAILED)
        give_up(path);
    while (unpack_entry())
        ;
    _exit(0);
}

/* Waits for the child's end, and meanwhile tells the runner how far it is: `fd`'s position is shared with the child. */
static int follow(pid_t pid, int fd)
{
    int status = 0;

    while (waitpid(pid, &status, WNOHANG) == 0) {
        struct mt_progress progress = { .bytes = (uint64_t)lseek(fd, 0, SEEK_CUR) };

        channel_send(MT_FRAME_PROGRESS, &progress, sizeof progress);
        usleep(REPORT_EVERY_US);
    }
    return status;
}

bool unpack_archive(int fd, const char *path, const struct user *user, char *problem, size_t problem_size)
{
    int complaints = memfd_create("complaints", MFD_CLOEXEC), status = -1;
    pid_t pid = complaints < 0 ? -1 : fork();
    ssize_t length = 0;

    if (pid == 0)
        child(fd, complaints, path, user);
    if (pid < 0) {
        snprintf(problem, problem_size, "%s", strerror(errno));
    } else {
        status = follow(pid, fd);
        length = pread(complaints, problem, problem_size - 1, 0);
        problem[length > 0 ? length : 0] = 0;
        problem[strcspn(problem, "\n")] = 0;
    }
    if (complaints >= 0)
        close(complaints);
    return status == 0;
}

void unpack(const char *user_name, const char *name)
{
    char path[PATH_MAX + 300], problem[PATH_MAX + 300];
    struct user user;
    int fd;

    if (!user_find(user_name, &user)) {
        channel_send_error("the guest has no user %s", user_name);
        return;
    }
    snprintf(path, sizeof path, "%s/%.255s", user.known ? user.home : "", name);
    fd = drive_open();
    if (fd < 0)
        channel_send_error("the guest has no transfer drive: %s", strerror(errno));
    else if (!unpack_archive(fd, path, &user, problem, sizeof problem))
        channel_send_error("can't create %s in the guest: %s", path, *problem ? problem : "it was killed");
    else
        channel_send(MT_FRAME_OK, NULL, 0);
    if (fd >= 0)
        close(fd);
}
