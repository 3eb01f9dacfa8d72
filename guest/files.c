/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the runner puts into the guest: files, written beside their place, then renamed into it; and trees of files. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"

#define TREE_PIPE_BYTES (1024 * 1024)

static struct {
    int fd;         /* -1: nothing is being received */
    pid_t tar;      /* > 0: it is a tree, and `fd` tar's standard input */
    int complaints; /* what tar prints to its standard error */
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
    incoming.fd = -1;
    if (incoming.tar > 0) {
        kill(incoming.tar, SIGKILL);
        waitpid(incoming.tar, NULL, 0);
        close(incoming.complaints);
        incoming.tar = 0;
    } else {
        unlink(incoming.partial_path);
    }
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
        { .tv_sec = incoming.meta.mtime_ns / 1000000000, .tv_nsec = incoming.meta.mtime_ns % 1000000000 },
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

/* tar has all of the stream: says how it went. */
static void finish_tree(void)
{
    char text[1024];
    ssize_t length;
    int status;

    close(incoming.fd);
    incoming.fd = -1;
    length = read(incoming.complaints, text, sizeof text - 1); /* until it prints or ends */
    text[length > 0 ? length : 0] = 0;
    text[strcspn(text, "\n")] = 0;
    close(incoming.complaints);
    waitpid(incoming.tar, &status, 0);
    incoming.tar = 0;
    if (status)
        channel_send_error("can't create %s in the guest: %s", incoming.path, *text ? text : "tar failed");
    else
        channel_send(MT_FRAME_OK, NULL, 0);
}

/* Starts tar. Returns false with errno set. */
static bool start_tar(const struct user *user)
{
    int stream[2], complaints[2];

    if (pipe2(stream, O_CLOEXEC))
        return false;
    if (pipe2(complaints, O_CLOEXEC)) {
        close(stream[0]);
        close(stream[1]);
        return false;
    }
    incoming.tar = fork();
    if (incoming.tar == 0) {
        sigset_t none;

        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        dup2(stream[0], STDIN_FILENO);
        dup2(complaints[1], STDERR_FILENO);
        /* A new folder, by the user, who gets all that is in it. */
        if (!user_become(user) || mkdir(incoming.path, 0755) || chdir(incoming.path)) {
            dprintf(STDERR_FILENO, "%s\n", strerror(errno));
            _exit(1);
        }
        execlp("tar", "tar", "-xpf", "-", "--no-same-owner", (char *)NULL);
        dprintf(STDERR_FILENO, "no tar: %s\n", strerror(errno));
        _exit(127);
    }
    close(stream[0]);
    close(complaints[1]);
    if (incoming.tar < 0) {
        close(stream[1]);
        close(complaints[0]);
        return false;
    }
    fcntl(stream[1], F_SETPIPE_SZ, TREE_PIPE_BYTES); /* a wish */
    incoming.fd = stream[1];
    incoming.complaints = complaints[0];
    return true;
}

void files_begin_tree(const char *name_of_user, const char *name)
{
    struct user user;

    if (incoming.fd >= 0)
        give_up();
    snprintf(incoming.path, sizeof incoming.path, "%s", name);
    if (!user_find(name_of_user, &user)) {
        channel_send_error("the guest has no user %s", name_of_user);
        return;
    }
    if (user.known && snprintf(incoming.path, sizeof incoming.path, "%s/%s", user.home, name) >= PATH_MAX) {
        errno = ENAMETOOLONG;
        fail("create");
        return;
    }
    if (!start_tar(&user))
        fail("create");
}

void files_append(const uint8_t *bytes, size_t length)
{
    if (incoming.fd < 0)
        return; /* the runner has been told */
    if (incoming.tar > 0 && !length) {
        finish_tree();
        return;
    }
    if (incoming.tar <= 0) {
        if (length > incoming.remaining)
            length = incoming.remaining;
        incoming.remaining -= length;
    }
    while (length) {
        ssize_t n = write(incoming.fd, bytes, length);

        if (n < 0 && incoming.tar > 0) { /* it has ended: it knows why */
            finish_tree();
            return;
        }
        if (n < 0) {
            fail("write");
            return;
        }
        bytes += n;
        length -= (size_t)n;
    }
    if (incoming.tar <= 0 && !incoming.remaining)
        finish();
}
