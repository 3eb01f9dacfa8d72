/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that appear when they are whole: see part_file.h. */
#include "part_file.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../run/error.h"

static char *final_path, *part_path; /* a signal's handler has to find them */

static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
static struct sigaction before[G_N_ELEMENTS(signals)];

static void on_signal(int number)
{
    unlink(part_path);
    signal(number, SIG_DFL);
    raise(number); /* once we have returned */
}

/* A signal that is ignored (nohup) stays so. */
static void catch_signals(void)
{
    struct sigaction action = { .sa_handler = on_signal };

    for (guint i = 0; i < G_N_ELEMENTS(signals); i++)
        if (!sigaction(signals[i], NULL, &before[i]) && before[i].sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
}

static void forget(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(signals); i++)
        sigaction(signals[i], &before[i], NULL);
    g_clear_pointer(&final_path, g_free);
    g_clear_pointer(&part_path, g_free);
}

bool part_file_applies(const char *path)
{
    struct stat status;

    return stat(path, &status) || S_ISREG(status.st_mode);
}

const char *part_file_begin(const char *path)
{
    char *resolved = realpath(path, NULL);

    final_path = g_strdup(resolved ? resolved : path);
    free(resolved);
    part_path = g_strconcat(final_path, ".part", NULL);
    catch_signals();
    return part_path;
}

bool part_file_commit(GError **error)
{
    bool fine = !rename(part_path, final_path);

    if (!fine) {
        mt_fail(error, "can't write %s: %s", final_path, g_strerror(errno));
        unlink(part_path);
    }
    forget();
    return fine;
}

void part_file_abandon(void)
{
    unlink(part_path);
    forget();
}
