/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command of --until: it is repeated until it succeeds, and then the workload is asked to end. It runs as the
 * workload's user, in the same folder, and sees the same files. The agent's loop calls us when it is time; nothing here
 * waits.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "agent.h"

#define REPEAT_MS 200
#define LOOK_AGAIN_MS 10 /* whether the workload has been executed yet */
#define GRACE_MS 5000    /* that a workload has to end by itself */

static struct {
    const struct request *request;
    const struct user *user;
    pid_t workload;  /* the leader of its process group */
    pid_t command;   /* 0: it doesn't run now */
    int64_t next_ns; /* when there is something to do; 0: never */
    bool succeeded;
} until;

static void wait_ms(int64_t ms)
{
    until.next_ns = monotonic_ns() + ms * 1000000;
}

void until_begin(const struct request *request, const struct user *user, pid_t workload)
{
    memset(&until, 0, sizeof until);
    if (!*request->until)
        return;
    until.request = request;
    until.user = user;
    until.workload = workload;
    wait_ms(0);
}

int64_t until_next_ns(void)
{
    return until.next_ns;
}

/* It needs the workload's view, so the workload must have been executed. */
static void try_command(void)
{
    char *const argv[] = { "sh", "-c", (char *)until.request->until, NULL };

    if (!workload_is_executed()) {
        wait_ms(LOOK_AGAIN_MS);
        return;
    }
    until.command = spawn_beside(until.request, until.user, until.workload, argv);
    if (until.command < 0) {
        until.command = 0;
        wait_ms(REPEAT_MS);
    }
}

void until_progress(void)
{
    if (!until.next_ns || monotonic_ns() < until.next_ns)
        return;
    until.next_ns = 0;
    if (until.succeeded)
        descendants_kill();
    else
        try_command();
}

void until_child_ended(pid_t pid, int status)
{
    if (!until.command || pid != until.command)
        return;
    until.command = 0;
    until.succeeded = WIFEXITED(status) && !WEXITSTATUS(status);
    if (until.succeeded)
        kill(-until.workload, SIGTERM);
    wait_ms(until.succeeded ? GRACE_MS : REPEAT_MS);
}

bool until_has_succeeded(void)
{
    return until.succeeded;
}

void until_end(void)
{
    if (until.command) {
        kill(-until.command, SIGKILL);
        kill(until.command, SIGKILL); /* it may not have become a process group's leader yet */
    }
    memset(&until, 0, sizeof until);
}
