/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that appear when they are whole: see part_file.h. */
#include "part_file.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "../run/error.h"

static char *final_path, *part_path; /* a signal's handler has to find them */

static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

static void on_signal(int number)
{
    unlink(part_path);
    signal(number, SIG_DFL);
    raise(number); /* once we have returned */
}

static void handle_signals(void (*handler)(int))
{
    struct sigaction action = { .sa_handler = handler };

    for (guint i = 0; i < G_N_ELEMENTS(signals); i++)
        sigaction(signals[i], &action, NULL);
}

static void forget(void)
{
    handle_signals(SIG_DFL);
    g_clear_pointer(&final_path, g_free);
    g_clear_pointer(&part_path, g_free);
}

const char *part_file_begin(const char *path)
{
    final_path = g_strdup(path);
    part_path = g_strconcat(path, ".part", NULL);
    handle_signals(on_signal);
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
