/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes a workload's standard input, output and error: pipes, or a pseudo-terminal. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pty.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "agent.h"

/* A pseudo-terminal as all three; we have its other side. `size` may be NULL. */
static bool make_terminal(struct stdio *stdio, struct winsize *size)
{
    int master, slave;

    if (openpty(&master, &slave, NULL, NULL, size))
        return false;
    fcntl(master, F_SETFD, FD_CLOEXEC);
    fcntl(slave, F_SETFD, FD_CLOEXEC);
    stdio->out = master;
    stdio->theirs[0] = slave;
    for (int fd = 1; fd < 3; fd++) /* shells print their prompts on standard error */
        stdio->theirs[fd] = fcntl(slave, F_DUPFD_CLOEXEC, 0);
    return stdio->theirs[2] >= 0;
}

/* A terminal for the workload protocol: output isn't changed, and input isn't echoed. */
static bool make_quiet_terminal(struct stdio *stdio)
{
    struct termios mode;

    if (!make_terminal(stdio, NULL) || tcgetattr(stdio->theirs[0], &mode))
        return false;
    mode.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
    mode.c_oflag &= ~(tcflag_t)OPOST;
    return !tcsetattr(stdio->theirs[0], TCSANOW, &mode);
}

static bool make_pipes(struct stdio *stdio, const struct request *request)
{
    int *const ours[] = { &stdio->out, &stdio->err };

    stdio->theirs[0] = stdin_open(request);
    if (stdio->theirs[0] < 0)
        return false;
    for (int i = 0; i < 2; i++) {
        int ends[2];

        if (i && request->run.flags & MT_RUN_ONE_OUTPUT) {
            stdio->theirs[2] = fcntl(stdio->theirs[1], F_DUPFD_CLOEXEC, 0);
            return stdio->theirs[2] >= 0;
        }
        if (pipe2(ends, O_CLOEXEC))
            return false;
        *ours[i] = ends[0];
        stdio->theirs[1 + i] = ends[1];
        fcntl(ends[0], F_SETFL, O_NONBLOCK);
    }
    return true;
}

bool stdio_make(struct stdio *stdio, const struct request *request)
{
    const struct mt_window *window = &request->run.window;
    struct winsize size = { .ws_row = window->rows, .ws_col = window->columns };

    *stdio = (struct stdio){ .theirs = { -1, -1, -1 }, .out = -1, .err = -1 };
    if (!(request->run.flags & (MT_RUN_WORKLOAD_SPEAKS | MT_RUN_TERMINAL)))
        return make_pipes(stdio, request);
    if (!(request->run.flags & MT_RUN_TERMINAL ? make_terminal(stdio, &size) : make_quiet_terminal(stdio)))
        return false;
    fcntl(stdio->out, F_SETFL, O_NONBLOCK);
    if (request->run.flags & MT_RUN_TERMINAL)
        stdin_type_on(stdio->out);
    return true;
}

void stdio_resize(int terminal, const struct mt_window *window)
{
    const struct winsize size = { .ws_row = window->rows, .ws_col = window->columns };

    if (terminal >= 0)
        ioctl(terminal, TIOCSWINSZ, &size); /* the kernel tells the program */
}
