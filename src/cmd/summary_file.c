/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file that a run's summary goes to: see summary_file.h. */
#define _GNU_SOURCE
#include "summary_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/error.h"
#include "../base/part_file.h"
#include "../base/regular_file.h"

#define READER_WAIT_MS 1000 /* a reader that was started together with us may need a moment */

struct SummaryFile {
    char *path;
    int fd;      /* of a device or a FIFO; -1: a regular file */
    int folder;  /* that a regular file is in; else -1 */
    char *name;  /* its name there */
    mode_t mode; /* its permissions; 0: it is a new one */
};

static bool open_special(SummaryFile *file, GError **error)
{
    int flags = O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

    file->fd = open(file->path, flags);
    for (int waited_ms = 0; file->fd < 0 && errno == ENXIO && waited_ms < READER_WAIT_MS; waited_ms += 10) {
        g_usleep(10000);
        file->fd = open(file->path, flags);
    }
    if (file->fd < 0)
        return mt_fail(error, "can't write the summary into %s: %s", file->path,
                       errno == ENXIO ? "nobody reads it" : g_strerror(errno));
    fcntl(file->fd, F_SETFL, 0); /* only opening must not block */
    return true;
}

static bool open_folder(SummaryFile *file, GError **error)
{
    char *resolved = realpath(file->path, NULL);
    g_autofree char *folder = g_path_get_dirname(resolved ? resolved : file->path);
    struct stat status;

    file->name = g_path_get_basename(resolved ? resolved : file->path);
    free(resolved);
    file->mode = stat(file->path, &status) ? 0 : status.st_mode & 0777;
    file->folder = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return file->folder >= 0 || mt_fail(error, "can't write the summary into %s: %s", file->path, g_strerror(errno));
}

/* Nothing but trying tells whether it can be created: a file system may be full or read-only. */
static bool try_to_create(SummaryFile *file, GError **error)
{
    g_autoptr(GError) problem = NULL;

    if (!part_file_begin(file->path, &problem))
        return mt_fail(error, "can't write the summary: %s", problem->message);
    part_file_abandon();
    return open_folder(file, error);
}

SummaryFile *summary_file_new(const char *path, GError **error)
{
    g_autoptr(SummaryFile) file = g_new0(SummaryFile, 1);
    struct stat status;
    bool fine;

    file->path = g_strdup(path);
    file->fd = file->folder = -1;
    if (stat(path, &status) || S_ISREG(status.st_mode))
        fine = try_to_create(file, error);
    else if (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode))
        fine = open_special(file, error);
    else
        fine = mt_fail(error, "can't write the summary into %s: it is %s", path, regular_file_kind(status.st_mode));
    return fine ? g_steal_pointer(&file) : NULL;
}

void summary_file_free(SummaryFile *file)
{
    if (!file)
        return;
    if (file->fd >= 0)
        close(file->fd);
    if (file->folder >= 0)
        close(file->folder);
    g_free(file->name);
    g_free(file->path);
    g_free(file);
}

static bool write_all(int fd, const char *text)
{
    size_t left = strlen(text);

    while (left) {
        ssize_t n = write(fd, text, left);

        if (n < 0 && errno != EINTR)
            return false;
        text += MAX(n, 0);
        left -= (size_t)MAX(n, 0);
    }
    return true;
}

/* The file may be in a folder that the workload can write to, and the workload may have put links there meanwhile. So
 * the file is created in the folder that was opened before the run, and no link is followed. */
static bool write_regular(const SummaryFile *file, const char *text, GError **error)
{
    g_autofree char *part = g_strdup_printf("%s.part-%08x", file->name, g_random_int());
    int fd = openat(file->folder, part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666), reason = errno;
    bool created = fd >= 0;
    bool fine = created && (!file->mode || !fchmod(fd, file->mode)) && write_all(fd, text) && !fsync(fd);

    if (created && !fine)
        reason = errno;
    if (fine && renameat(file->folder, part, file->folder, file->name)) {
        fine = false;
        reason = errno;
    }
    if (created && !fine)
        unlinkat(file->folder, part, 0);
    if (!fine)
        mt_fail(error, "can't write %s: %s", file->path, g_strerror(reason));
    else if (!regular_file_is_at(fd, file->path))
        fine = mt_fail(error, "can't write %s: its folder was moved or replaced meanwhile", file->path);
    if (created && close(fd) && fine)
        fine = mt_fail(error, "can't write %s: %s", file->path, g_strerror(errno));
    return fine;
}

bool summary_file_write(SummaryFile *file, const char *text, GError **error)
{
    g_autoptr(GError) problem = NULL;

    if (file->fd >= 0)
        return write_all(file->fd, text) ||
               mt_fail(error, "can't write the summary into %s: %s", file->path, g_strerror(errno));
    return write_regular(file, text, &problem) || mt_fail(error, "can't write the summary: %s", problem->message);
}
