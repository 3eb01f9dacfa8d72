/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libFuzzer's entry: the archive on the transfer drive, as the agent unpacks it. The file system isn't touched: here,
 * the calls that would change it do nothing, files are memory, and the end of the process is a jump.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static jmp_buf process_end;
static int files[2], opened;
static char last_name_byte;

static int open_file(const char *name)
{
    last_name_byte = name[strlen(name)]; /* it has an end */
    return files[opened++ & 1];
}

static ssize_t write_at(int fd, const void *bytes, size_t length, off_t offset)
{
    static char copy[4096];

    (void)fd;
    for (size_t i = 0; i < length; i += sizeof copy) /* so that a sanitizer sees where they come from */
        memcpy(copy, (const char *)bytes + i, length - i < sizeof copy ? length - i : sizeof copy);
    return offset < 0 ? -1 : (ssize_t)length;
}

#define open(name, ...) open_file(name)
#define close(fd) ((void)(fd))
#define pwrite(fd, bytes, length, offset) write_at(fd, bytes, length, offset)
#define ftruncate(fd, length) ((void)(fd), (length) < 0 ? -1 : 0)
#define fchmod(fd, mode) ((void)(fd), (void)(mode), 0)
#define futimens(fd, times) ((void)(fd), (void)(times), 0)
#define utimensat(fd, name, times, flags) ((void)open_file(name), (void)(times), 0)
#define mkdir(name, mode) ((void)open_file(name), 0)
#define symlink(target, name) ((void)open_file(target), (void)open_file(name), 0)
#define link(target, name) ((void)open_file(target), (void)open_file(name), 0)
#define mknod(name, mode, device) ((void)open_file(name), (void)(device), 0)
#define chmod(name, mode) ((void)(name), (void)(mode), 0)
#define dprintf(fd, ...) ((void)snprintf(NULL, 0, __VA_ARGS__))
#define _exit(status) longjmp(process_end, 1 + (status))
#include "../../guest/unpack.c"

/* What the rest of unpack.c, which isn't called here, refers to. */
void channel_send(uint32_t type, const void *payload, size_t length)
{
    (void)type;
    (void)payload;
    (void)length;
}

void channel_send_error(const char *format, ...)
{
    (void)format;
}

bool user_find(const char *name, struct user *user)
{
    (void)name;
    (void)user;
    return false;
}

bool user_become(const struct user *user)
{
    (void)user;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int input = -1;

    if (input < 0) {
        input = memfd_create("archive", MFD_CLOEXEC);
        files[0] = memfd_create("file", MFD_CLOEXEC);
        files[1] = memfd_create("file", MFD_CLOEXEC);
        archive.buffer = mmap(NULL, BUFFER_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }
#undef ftruncate
#undef pwrite
    if (ftruncate(input, 0) || pwrite(input, data, size, 0) != (ssize_t)size)
        abort();
    archive.fd = input;
    archive.start = archive.filled = archive.position = 0;
    if (!setjmp(process_end))
        while (unpack_entry())
            ;
    return 0;
}
