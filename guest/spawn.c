/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds and executes programs: what the agent's children do before they become the workload. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../include/memory_tracer/roi.h"
#include "agent.h"

#define SHELL "/bin/sh"
#define OPEN_FILES_MAX 1048576u /* Linux allows no more, unless somebody has raised it, as on some hosts */

int spawn_find_program(const char *name, const char *path_variable, char found[PATH_MAX])
{
    int error = ENOENT;

    if (strchr(name, '/')) {
        snprintf(found, PATH_MAX, "%s", name);
        return access(found, X_OK) ? errno : 0;
    }
    while (path_variable && *path_variable) {
        size_t length = strcspn(path_variable, ":");
        struct stat status;

        snprintf(found, PATH_MAX, "%.*s/%s", (int)length, path_variable, name);
        if (!stat(found, &status) && S_ISREG(status.st_mode)) {
            if (!access(found, X_OK))
                return 0;
            error = errno;
        }
        path_variable += length + (path_variable[length] == ':');
    }
    return error;
}

void spawn_open_the_way(const char *path)
{
    char parent[PATH_MAX];

    snprintf(parent, sizeof parent, "%s", path);
    for (char *slash = strchr(parent + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        struct stat status;

        *slash = 0;
        if (!stat(parent, &status) && !(status.st_mode & S_IXOTH))
            chmod(parent, (status.st_mode & 07777) | S_IXGRP | S_IXOTH);
        *slash = '/';
    }
}

/* Whether `fd` was made for the workload, and isn't a file. */
static bool is_pipe_or_terminal(int fd)
{
    struct stat status;

    return !fstat(fd, &status) && (S_ISFIFO(status.st_mode) || isatty(fd));
}

/* Sets view, limits, user and folder as the request says. */
static const char *settle_in(const struct request *request, const struct user *user, pid_t beside)
{
    const struct mt_run *run = &request->run;
    const char *failed = beside ? view_join(beside) : view_enter(), *folder = request->folder;

    if (failed)
        return failed;
    for (int resource = 0; resource < MT_LIMITS; resource++) {
        const struct mt_limit *limit = &run->limits[resource];
        const rlim_t most = resource == RLIMIT_NOFILE ? OPEN_FILES_MAX : RLIM_INFINITY;
        const struct rlimit wanted = { .rlim_cur = limit->soft < most ? limit->soft : most,
                                       .rlim_max = limit->hard < most ? limit->hard : most };

        if (run->limited >> resource & 1 && setrlimit((__rlimit_resource_t)resource, &wanted))
            return "set its resource limits";
    }
    if (run->flags & MT_RUN_WITH_IDS) {
        for (int fd = 0; fd < 3; fd++)
            if (is_pipe_or_terminal(fd)) /* it may open /dev/stdout */
                (void)!fchown(fd, run->uid, run->gid);
        umask(run->umask);
    }
    if (!(run->flags & MT_RUN_WITH_IDS ? user_become_ids(run) : user_become(user)))
        return "run it as that user";
    if (view_is_made())
        return chdir(folder) ? "enter its current folder" : NULL;
    return folder[0] && chdir(folder) && chdir(user->known ? user->home : "/") && chdir("/") ? "enter a folder" : NULL;
}

const char *spawn_become(const struct request *request, const struct user *user, const int stdio[3], pid_t beside)
{
    sigset_t none;

    setsid();
    for (int fd = 0; fd < 3; fd++)
        dup2(stdio[fd], fd);
    if (request->run.flags & MT_RUN_TERMINAL && isatty(0))
        ioctl(0, TIOCSCTTY, 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL); /* we ignore it */
    memory_unprotect();
    personality(ADDR_NO_RANDOMIZE); /* addresses that can be compared between runs */
    return settle_in(request, user, beside);
}

void spawn_execute(const char *program, const struct request *request)
{
    uint32_t argc = request->run.argc;
    char **argv;

    execve(program, request->argv, request->envp);
    if (errno != ENOEXEC || !(request->run.flags & (MT_RUN_FROM_HOST | MT_RUN_WITH_IDS)) ||
        !(argv = calloc((size_t)argc + 2, sizeof *argv)))
        return;
    argv[0] = SHELL;
    argv[1] = (char *)program;
    for (uint32_t i = 1; i < argc; i++)
        argv[i + 1] = request->argv[i];
    execve(SHELL, argv, request->envp);
}

void spawn_give_up(int exec_error, const char *failed)
{
    char line[256];

    snprintf(line, sizeof line, "can't %s: %s", failed, strerror(errno));
    (void)!write(exec_error, line, strlen(line) + 1);
    _exit(127);
}

static const char *become_silent(const struct request *request, const struct user *user, pid_t beside)
{
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC), stdio[3] = { nothing, nothing, nothing };

    if (nothing < 0)
        return "open /dev/null";
    if (!beside && request->run.flags & MT_RUN_STDIN_FILE) { /* unlike a stream, a file can be read again */
        stdio[0] = stdin_open_file(request);
        if (stdio[0] < 0)
            return "open the file that is its standard input";
    }
    return spawn_become(request, user, stdio, beside);
}

pid_t spawn_silent(const struct request *request, const struct user *user, const char *program, int exec_error)
{
    pid_t pid = fork();

    if (pid == 0) {
        const char *failed = become_silent(request, user, 0);

        if (failed)
            spawn_give_up(exec_error, failed);
        spawn_execute(program, request);
        spawn_give_up(exec_error, "execute it");
    }
    return pid;
}

pid_t spawn_beside(const struct request *request, const struct user *user, pid_t workload, char *const *argv)
{
    pid_t pid = fork();

    if (pid == 0) {
        if (!become_silent(request, user, workload))
            execve(SHELL, argv, request->envp);
        _exit(127);
    }
    return pid;
}

/* What our parent does before it sleeps again, in poll(), must not appear at the beginning of the trace. */
#define LET_PARENT_SLEEP_US 2000
#define LET_PARENT_SLEEP_TIMES 500 /* then we start all the same */

/* Whether a process sleeps, by its open /proc/PID/stat ("PID (NAME) STATE ..."); true if that can't be read. */
static bool sleeps(int stat)
{
    char text[256];
    ssize_t length = pread(stat, text, sizeof text - 1, 0);

    text[length > 0 ? length : 0] = 0;
    const char *name_end = strrchr(text, ')');
    return !name_end || !strncmp(name_end, ") S", 3);
}

void spawn_held(const char *program, const struct request *request, const struct user *user, const int stdio[3], int go,
                int exec_error)
{
    char parent_path[32], byte;
    const char *failed;
    int error, parent;

    snprintf(parent_path, sizeof parent_path, "/proc/%d/stat", (int)getppid());
    parent = open(parent_path, O_RDONLY | O_CLOEXEC);
    failed = spawn_become(request, user, stdio, 0);
    if (failed)
        spawn_give_up(exec_error, failed);
    if (go >= 0) {
        while (read(go, &byte, 1) < 0 && errno == EINTR)
            ;
        for (int i = 0; i < LET_PARENT_SLEEP_TIMES; i++) {
            usleep(LET_PARENT_SLEEP_US);
            if (sleeps(parent))
                break;
        }
        MEMORY_TRACER_MARKER(MT_AGENT_START_MAGIC);
    }
    spawn_execute(program, request);
    error = errno;
    if (go >= 0)
        MEMORY_TRACER_MARKER(MT_AGENT_STOP_MAGIC);
    errno = error;
    spawn_give_up(exec_error, "execute it");
}
