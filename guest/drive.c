/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The transfer drive, and the current agent on it. A snapshot may hold an old agent, which executes the runner's agent
 * in its place at each start. So only the frames of MT_PROTOCOL_BASE must stay as they are.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent.h"

#define BUFFER_BYTES (1024u * 1024) /* a multiple of the drive's block size */

int drive_open(void)
{
    DIR *folder = opendir("/sys/block");
    int fd = -1;

    errno = ENODEV;
    for (struct dirent *entry; fd < 0 && folder && (entry = readdir(folder));) {
        char path[300], serial[64] = "";
        FILE *file;

        snprintf(path, sizeof path, "/sys/block/%s/serial", entry->d_name);
        file = fopen(path, "re");
        if (!file)
            continue;
        if (fgets(serial, sizeof serial, file) && !strncmp(serial, MT_TRANSFER_SERIAL, strlen(MT_TRANSFER_SERIAL))) {
            snprintf(path, sizeof path, "/dev/%s", entry->d_name);
            fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
        }
        fclose(file);
    }
    if (folder)
        closedir(folder);
    if (fd >= 0)
        ioctl(fd, BLKFLSBUF); /* what was cached before the snapshot is not what is there now */
    return fd;
}

/* Copies the program on the drive into a file in memory. Returns it, or -1 with errno set. */
static int copy_program(int drive)
{
    void *buffer = mmap(NULL, BUFFER_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int program = memfd_create("memory_tracer_agent", MFD_CLOEXEC);
    struct mt_drive_agent head = { 0 };
    off_t from = MT_DRIVE_AGENT_OFFSET;
    uint64_t left;
    bool fine = buffer != MAP_FAILED && program >= 0 && pread(drive, buffer, MT_DRIVE_BLOCK, from) == MT_DRIVE_BLOCK;

    if (fine)
        memcpy(&head, buffer, sizeof head);
    left = head.bytes;
    if (fine && (head.magic != MT_DRIVE_AGENT_MAGIC || !left || left > MT_DRIVE_AGENT_MAX)) {
        errno = EBADMSG;
        fine = false;
    }
    from += MT_DRIVE_BLOCK;
    while (fine && left) {
        ssize_t n = pread(drive, buffer, BUFFER_BYTES, from);
        size_t piece = n > 0 && (uint64_t)n < left ? (size_t)n : (size_t)left;

        fine = n > 0 && write(program, buffer, piece) == (ssize_t)piece;
        from += n;
        left -= piece;
    }
    if (buffer != MAP_FAILED)
        munmap(buffer, BUFFER_BYTES);
    if (!fine && program >= 0) {
        close(program);
        program = -1;
    }
    return program;
}

void drive_renew_agent(void)
{
    int drive = drive_open(), program = drive < 0 ? -1 : copy_program(drive), readable = -1, port = channel_fd();
    char path[64], port_number[16];
    char *const argv[] = { "memory_tracer_agent", "--resume", port_number, NULL };

    if (program >= 0) { /* what is open for writing can't be executed */
        snprintf(path, sizeof path, "/proc/self/fd/%d", program);
        readable = open(path, O_RDONLY | O_CLOEXEC);
        close(program);
    }
    if (readable >= 0) {
        snprintf(port_number, sizeof port_number, "%d", port);
        fcntl(port, F_SETFD, 0);
        fexecve(readable, argv, environ);
    }
    channel_send_error("the agent in the guest can't be replaced by the current one: %s", strerror(errno));
    fcntl(port, F_SETFD, FD_CLOEXEC);
    if (readable >= 0)
        close(readable);
    if (drive >= 0)
        close(drive);
}
