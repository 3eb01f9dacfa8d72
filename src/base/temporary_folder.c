/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private folders for temporary files: see temporary_folder.h. The parent may be /tmp, where anybody creates what they
 * like: only a folder of our user's own is touched, and no symbolic link is followed.
 */
#define _GNU_SOURCE
#include "temporary_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"

#define USUAL_PREFIX "memory_tracer-run-"
#define TRIES 100

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path) && errno != ENOENT;
}

static void remove_tree(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* Opens our user's own folder of that name and locks it. Returns the descriptor; -1 if it isn't ours, or locked. */
static int lock_folder(const char *path)
{
    struct stat named, opened;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    /* Whoever had the lock before may have removed it by now. */
    if (fd >= 0 && !fstat(fd, &opened) && opened.st_uid == geteuid() && !flock(fd, LOCK_EX | LOCK_NB) &&
        !lstat(path, &named) && S_ISDIR(named.st_mode) && named.st_dev == opened.st_dev &&
        named.st_ino == opened.st_ino)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* A folder that can be locked has no owner any more; or its owner is just about to lock it, fails, and makes another.
 */
static void sweep(const char *parent, const char *prefix)
{
    g_autoptr(GDir) names = g_dir_open(parent, 0, NULL);

    for (const char *name; names && (name = g_dir_read_name(names));) {
        g_autofree char *path = g_build_filename(parent, name, NULL);
        int lock = g_str_has_prefix(name, prefix) ? lock_folder(path) : -1;

        if (lock >= 0) {
            remove_tree(path);
            close(lock);
        }
    }
}

/* Whether this file system has locks. If it has none, no folder is ever removed by others, so none needs a lock. */
static bool can_lock(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool can = fd < 0 || !flock(fd, LOCK_EX | LOCK_NB) || errno == EWOULDBLOCK;

    if (fd >= 0)
        close(fd);
    return can;
}

TemporaryFolder *temporary_folder_new(const char *parent, const char *prefix, GError **error)
{
    g_autofree char *absolute = g_canonicalize_filename(parent, NULL);

    sweep(absolute, prefix);
    for (int i = 0; i < TRIES; i++) {
        g_autofree char *name = g_strconcat(prefix, "XXXXXX", NULL);
        g_autofree char *path = g_build_filename(absolute, name, NULL);
        int lock;

        if (!g_mkdtemp(path))
            break;
        lock = lock_folder(path);
        if (lock >= 0 || !can_lock(path)) {
            TemporaryFolder *folder = g_new0(TemporaryFolder, 1);

            folder->path = g_steal_pointer(&path);
            folder->lock = lock;
            return folder;
        }
    }
    mt_fail(error, "can't create a temporary folder in %s: %s", parent, g_strerror(errno));
    return NULL;
}

TemporaryFolder *temporary_folder_new_usual(GError **error)
{
    return temporary_folder_new(g_get_tmp_dir(), USUAL_PREFIX, error);
}

void temporary_folder_free(TemporaryFolder *folder)
{
    if (!folder)
        return;
    remove_tree(folder->path);
    if (folder->lock >= 0)
        close(folder->lock);
    g_free(folder->path);
    g_free(folder);
}
