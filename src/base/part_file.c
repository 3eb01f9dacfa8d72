/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that appear when they are whole: see part_file.h. */
#define _GNU_SOURCE
#include "part_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"

static char *final_path, *part_path; /* global: a signal's handler has to find them */

static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
static struct sigaction before[G_N_ELEMENTS(signals)];

static void on_signal(int number)
{
    unlink(part_path);
    signal(number, SIG_DFL);
    raise(number); /* takes effect when this handler has returned */
}

/* A signal that is ignored (nohup) stays so. */
static void catch_signals(void)
{
    struct sigaction action = { .sa_handler = on_signal };

    for (guint i = 0; i < G_N_ELEMENTS(signals); i++)
        if (!sigaction(signals[i], NULL, &before[i]) && before[i].sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
}

static void clear_paths(void)
{
    g_clear_pointer(&final_path, g_free);
    g_clear_pointer(&part_path, g_free);
}

/* The end of one: restores the signals' actions. */
static void finish(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(signals); i++)
        sigaction(signals[i], &before[i], NULL);
    clear_paths();
}

bool part_file_applies(const char *path)
{
    struct stat status;

    return stat(path, &status) || S_ISREG(status.st_mode);
}

/* The permissions of a file that is there, or of a new one. */
static mode_t permissions(const char *path)
{
    struct stat status;
    mode_t mask;

    if (!stat(path, &status))
        return status.st_mode & 0777;
    mask = umask(0);
    umask(mask);
    return 0666 & ~mask;
}

/* Creates the file whose name `part_path` is to become. No signal finds it half done. */
static bool create(mode_t mode)
{
    sigset_t all, old;
    bool fine;
    int fd;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &old);
    fd = mkostemp(part_path, O_CLOEXEC);
    fine = fd >= 0 && !fchmod(fd, mode);
    int reason = errno;
    if (fd >= 0)
        close(fd);
    if (fd >= 0 && !fine)
        unlink(part_path);
    if (fine)
        catch_signals();
    sigprocmask(SIG_SETMASK, &old, NULL);
    errno = reason;
    return fine;
}

const char *part_file_begin(const char *path, GError **error)
{
    char *resolved = realpath(path, NULL);

    final_path = g_strdup(resolved ? resolved : path);
    free(resolved);
    part_path = g_strconcat(final_path, ".part-XXXXXX", NULL);
    if (create(permissions(final_path)))
        return part_path;
    mt_fail(error, "can't write %s: %s", path, g_strerror(errno));
    clear_paths();
    return NULL;
}

bool part_file_commit(GError **error)
{
    bool fine = !rename(part_path, final_path);

    if (!fine) {
        mt_fail(error, "can't write %s: %s", final_path, g_strerror(errno));
        unlink(part_path);
    }
    finish();
    return fine;
}

void part_file_abandon(void)
{
    unlink(part_path);
    finish();
}
