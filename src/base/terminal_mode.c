/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Our terminal in another mode: see terminal_mode.h. */
#define _GNU_SOURCE
#include "terminal_mode.h"

#include <errno.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

/* For the signals' handlers, which get no data. */
static struct {
    bool entered;
    struct termios before, mode;
    struct sigaction stop, go_on; /* what they did before */
} terminal;

/* A terminal that doesn't control us has no foreground for us: then reading is allowed. */
bool terminal_mode_may_read(int fd)
{
    pid_t foreground = tcgetpgrp(fd);

    return foreground < 0 || foreground == getpgrp();
}

/* A process that sets the mode in the background is stopped. */
static void set(const struct termios *mode)
{
    if (terminal_mode_may_read(STDIN_FILENO))
        tcsetattr(STDIN_FILENO, TCSANOW, mode);
}

static void on_stop(int number)
{
    int error = errno;

    (void)number;
    set(&terminal.before);
    kill(getpid(), SIGSTOP);
    errno = error;
}

static void on_go_on(int number)
{
    int error = errno;

    (void)number;
    set(&terminal.mode);
    kill(getpid(), SIGWINCH); /* the terminal may have another size by now */
    errno = error;
}

/* A signal that is ignored (by a shell without job control) stays ignored. */
static void catch_signal(int number, void (*handler)(int number), struct sigaction *before)
{
    const struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };

    if (!sigaction(number, NULL, before) && before->sa_handler != SIG_IGN)
        sigaction(number, &action, NULL);
}

bool terminal_mode_enter(bool raw)
{
    if (!isatty(STDIN_FILENO) || terminal.entered || tcgetattr(STDIN_FILENO, &terminal.before))
        return false;
    terminal.mode = terminal.before;
    terminal.mode.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    if (raw)
        cfmakeraw(&terminal.mode);
    terminal.entered = true;
    catch_signal(SIGTSTP, on_stop, &terminal.stop);
    catch_signal(SIGCONT, on_go_on, &terminal.go_on);
    tcsetattr(STDIN_FILENO, TCSANOW, &terminal.mode); /* in the background this stops us until we aren't */
    return true;
}

void terminal_mode_leave(void)
{
    if (!terminal.entered)
        return;
    sigaction(SIGTSTP, &terminal.stop, NULL);
    sigaction(SIGCONT, &terminal.go_on, NULL);
    set(&terminal.before);
    terminal.entered = false;
}
