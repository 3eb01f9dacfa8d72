/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A listening Unix socket: see listener.h. */
#define _GNU_SOURCE
#include "listener.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* How many clients may connect before the first of them is accepted. */
#define BACKLOG 64

static bool fail(const char *path, int code, GError **error)
{
    g_set_error(error, G_IO_ERROR, g_io_error_from_errno(code), "can't listen at %s: %s", path, g_strerror(code));
    return false;
}

/* False if nobody listens there. True if a process listens, or if that can't be found out; *failure is the errno then. */
static bool is_in_use(const struct sockaddr_un *address, int *failure)
{
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int status = probe < 0 ? -1 : connect(probe, (const struct sockaddr *)address, sizeof *address);

    *failure = status ? errno : EADDRINUSE;
    if (*failure == EAGAIN) /* a process listens, but doesn't accept */
        *failure = EADDRINUSE;
    if (*failure == ECONNREFUSED || *failure == ENOENT)
        *failure = 0;
    if (probe >= 0)
        close(probe);
    return *failure;
}

/* Removes a socket at which nobody listens from the path. */
static bool remove_stale(const struct sockaddr_un *address, GError **error)
{
    const char *path = address->sun_path;
    struct stat status;
    int failure;

    if (lstat(path, &status))
        return errno == ENOENT || fail(path, errno, error);
    if (!S_ISSOCK(status.st_mode)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_EXISTS, "can't listen at %s: it is there, and is not a socket", path);
        return false;
    }
    if (is_in_use(address, &failure))
        return fail(path, failure, error);
    return !unlink(path) || errno == ENOENT || fail(path, errno, error);
}

bool listener_open(Listener *listener, const char *path, GError **error)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct stat status;

    *listener = (Listener){ .fd = -1 };
    if (strlen(path) >= sizeof address.sun_path)
        return fail(path, ENAMETOOLONG, error);
    strcpy(address.sun_path, path);
    if (!remove_stale(&address, error))
        return false;
    listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* On Linux, the file that bind() creates has the socket's mode: so other users can't connect, not even for a
     * moment. */
    if (listener->fd < 0 || fchmod(listener->fd, 0600) ||
        bind(listener->fd, (struct sockaddr *)&address, sizeof address) || lstat(path, &status) ||
        listen(listener->fd, BACKLOG))
        return fail(path, errno, error);
    listener->path = g_strdup(path);
    listener->device = status.st_dev;
    listener->inode = status.st_ino;
    return true;
}

void listener_close(Listener *listener)
{
    struct stat status;

    if (!lstat(listener->path, &status) && status.st_dev == listener->device && status.st_ino == listener->inode)
        unlink(listener->path);
    close(listener->fd);
    g_free(listener->path);
}
