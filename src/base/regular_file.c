/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening files that somebody else names: see regular_file.h. */
#define _GNU_SOURCE
#include "regular_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "error.h"

const char *regular_file_kind(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return "a folder";
    case S_IFIFO:
        return "a FIFO";
    case S_IFSOCK:
        return "a socket";
    case S_IFCHR:
    case S_IFBLK:
        return "a device";
    default:
        return "not a regular file";
    }
}

int regular_file_open(const char *path, GError **error)
{
    struct stat status;
    int fd = -1;

    /* Opening a device can do something (a tape is wound back), so it is looked at before; and after, as it may have
     * been replaced in between: that is what O_NONBLOCK is for, too. */
    if (!stat(path, &status) && S_ISREG(status.st_mode))
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    else if (!stat(path, &status)) {
        mt_fail(error, "can't read %s: it is %s", path, regular_file_kind(status.st_mode));
        return -1;
    }
    if (fd >= 0 && !fstat(fd, &status) && S_ISREG(status.st_mode))
        return fd;
    mt_fail(error, "can't read %s: %s", path, fd >= 0 ? "it is not a regular file" : g_strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

bool regular_file_check_output(const char *path, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(path);
    struct stat status;

    if (!stat(path, &status) && !S_ISREG(status.st_mode))
        return mt_fail(error, "can't write %s: it must be a regular file, but is %s", path,
                       regular_file_kind(status.st_mode));
    return !access(path, W_OK) || (errno == ENOENT && !access(folder, W_OK | X_OK)) ||
           mt_fail(error, "can't write %s: %s", path, g_strerror(errno));
}

bool regular_file_is_same(const char *one, const char *other)
{
    struct stat a, b;
    bool there = !stat(one, &a);

    if (there != !stat(other, &b))
        return false;
    if (there)
        return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
    g_autofree char *one_name = g_canonicalize_filename(one, NULL), *other_name = g_canonicalize_filename(other, NULL);
    return !strcmp(one_name, other_name);
}

bool regular_file_check_apart(const char *output, const char *input, GError **error)
{
    struct stat status;

    return stat(output, &status) || !S_ISREG(status.st_mode) ||
           !regular_file_is_same(output, strcmp(input, "-") ? input : "/dev/stdin") ||
           mt_fail(error, "can't write %s: it is what is read", output);
}
