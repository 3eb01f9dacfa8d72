/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The workload: started and held until the runner says "enter", traced between the markers, reported when it ends.
 *
 * A workload that doesn't follow our protocol is traced from right before its execve until it has ended: the child
 * itself executes the start marker. One that does (speech.c) runs on a pseudo-terminal, its standard error included, so
 * that its C library sends each line at once and "Press enter" means what it says. It is traced from the enter until it
 * prints "Stop tracing".
 *
 * Before that, it may run a few times untraced and with its output dropped, to warm up.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../include/memory_tracer/roi.h"
#include "agent.h"

enum phase { PHASE_NONE, PHASE_WARMING_UP, PHASE_STARTING, PHASE_READY, PHASE_TRACED, PHASE_STOPPED, PHASE_REPORTED };

static struct {
    enum phase phase;
    bool speaks, said_stop, timed_out;
    struct request request;
    struct user user;
    uint32_t warm_ups; /* that are still to be done */
    pid_t pid;
    int out, err; /* what we read: pipes, or in `out` the pseudo-terminal */
    int ends[2]; /* their other ends: kept open, so that the workload's end wakes us up, and its output's end doesn't */
    int go;      /* written to by MT_FRAME_ENTER; -1 if the workload speaks */
    int exec_error; /* read: why it couldn't be executed */
    int64_t started_ns, deadline_ns;
    struct mt_traced traced; /* from PHASE_STOPPED on */
    uint32_t timeout_ms;
    uint64_t memory_kills; /* before it was started */
    char program[PATH_MAX];
} workload = { .out = -1, .err = -1, .ends = { -1, -1 }, .go = -1, .exec_error = -1 };

int64_t monotonic_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void close_all(void)
{
    close_fd(&workload.out);
    close_fd(&workload.err);
    close_fd(&workload.ends[0]);
    close_fd(&workload.ends[1]);
    close_fd(&workload.go);
    close_fd(&workload.exec_error);
    stdin_close();
}

static void clear_request(void)
{
    request_free(&workload.request);
    memset(&workload.request, 0, sizeof workload.request);
}

static void reset_workload(void)
{
    memset(&workload, 0, sizeof workload);
    workload.out = workload.err = workload.ends[0] = workload.ends[1] = workload.go = workload.exec_error = -1;
}

static void begin_tracing_clock(void)
{
    workload.phase = PHASE_TRACED;
    workload.started_ns = monotonic_ns();
    workload.deadline_ns = workload.timeout_ms ? workload.started_ns + workload.timeout_ms * 1000000ll : 0;
}

/* `early`: the workload has ended before it said "Stop tracing". */
static void end_tracing(bool early)
{
    if (workload.phase != PHASE_TRACED)
        return;
    MEMORY_TRACER_MARKER(MT_AGENT_STOP_MAGIC);
    workload.phase = PHASE_STOPPED;
    workload.deadline_ns = 0;
    workload.traced =
        (struct mt_traced){ .elapsed_ns = (uint64_t)(monotonic_ns() - workload.started_ns), .never_stopped = early };
}

/* The host may end us as soon as it has this frame: what the workload said together with "Stop tracing" goes first. */
static void report_traced(void)
{
    if (workload.phase != PHASE_STOPPED)
        return;
    workload.phase = PHASE_REPORTED;
    channel_send(MT_FRAME_TRACED, &workload.traced, sizeof workload.traced);
}

/* What a workload that speaks has said. */
static void on_speech(enum speech word)
{
    if (word == SPEECH_READY) {
        workload.phase = PHASE_READY;
        channel_send(MT_FRAME_READY, NULL, 0);
    } else {
        workload.said_stop = true;
        end_tracing(false);
    }
}

/* Checks what can be checked before anything is started. Returns false, and tells the runner, if the request can't be
 * carried out. */
static bool check_request(const struct request *request, struct user *user)
{
    int error;

    if (!user_find(request->user, user)) {
        channel_send_error("the guest has no user %s", request->user);
        return false;
    }
    if ((request->run.flags & MT_RUN_FROM_HOST) && user->known && user->uid)
        spawn_open_the_way(request->program);
    if (view_is_made()) { /* the runner has found it there */
        snprintf(workload.program, sizeof workload.program, "%s", request->program);
        return true;
    }
    error = spawn_find_program(request->program, request_variable(request, "PATH"), workload.program);
    if (error)
        channel_send_error("can't execute %s in the guest: %s", request->program, strerror(error));
    return !error;
}

/* The workload, or its warming up, is over. */
static void be_ready_for_another(void)
{
    close_all();
    clear_request();
    workload.phase = PHASE_NONE;
}

/* errno says why. */
static void tell_cannot_start(const struct request *request, bool has_input)
{
    if (!has_input && request->run.flags & MT_RUN_STDIN_FILE)
        channel_send_error("can't open %s, which is standard input, in the guest: %s", request->stdin_file,
                           strerror(errno));
    else
        channel_send_error("can't start %s in the guest: %s", request->program, strerror(errno));
}

/* Starts the run that is traced. */
static void start(void)
{
    struct request *request = &workload.request;
    int go[2] = { -1, -1 }, exec_error[2] = { -1, -1 };
    struct stdio stdio;
    bool fine;

    workload.speaks = request->run.flags & MT_RUN_WORKLOAD_SPEAKS;
    workload.timeout_ms = request->run.timeout_ms;
    workload.memory_kills = memory_kills();
    if (request->run.flags & MT_RUN_TELL_VCPUS)
        vcpus_tell();
    fine = stdio_make(&stdio, request);
    workload.out = stdio.out;
    workload.err = stdio.err;
    if (!fine || pipe2(exec_error, O_CLOEXEC) || (!workload.speaks && pipe2(go, O_CLOEXEC)) ||
        (workload.pid = fork()) < 0) {
        tell_cannot_start(request, stdio.theirs[0] >= 0);
        be_ready_for_another();
    } else if (workload.pid == 0) {
        spawn_held(workload.program, request, &workload.user, stdio.theirs, go[0], exec_error[1]);
    } else {
        workload.go = go[1];
        go[1] = -1;
        workload.exec_error = exec_error[0];
        exec_error[0] = -1;
        for (int i = 0; i < 2; i++) {
            workload.ends[i] = stdio.theirs[1 + i];
            stdio.theirs[1 + i] = -1;
        }
        workload.phase = PHASE_STARTING;
        if (workload.speaks) {
            speech_begin(on_speech);
        } else {
            workload.phase = PHASE_READY;
            channel_send(MT_FRAME_READY, NULL, 0);
        }
    }
    for (int i = 0; i < 3; i++)
        close_fd(&stdio.theirs[i]);
    for (int i = 0; i < 2; i++) {
        close_fd(&go[i]);
        close_fd(&exec_error[i]);
    }
}

/* Starts a run that isn't traced, and whose output is dropped. */
static void start_to_warm_up(void)
{
    int exec_error[2] = { -1, -1 };

    workload.pid = pipe2(exec_error, O_CLOEXEC)
                       ? -1
                       : spawn_silent(&workload.request, &workload.user, workload.program, exec_error[1]);
    workload.exec_error = exec_error[0];
    if (workload.pid < 0) {
        channel_send_error("can't start %s in the guest: %s", workload.program, strerror(errno));
        be_ready_for_another();
    } else {
        workload.phase = PHASE_WARMING_UP;
        until_begin(&workload.request, &workload.user, workload.pid);
    }
    close_fd(&exec_error[1]);
}

/* Each run of the workload begins here, be it one to warm up, or the one that is traced. */
static void begin_run(void)
{
    view_prepare();
    if (workload.warm_ups)
        start_to_warm_up();
    else
        start();
}

/* Each run ends here, when the program has ended. Returns why it couldn't be executed, or NULL. */
static const char *end_run(void)
{
    static char problem[256];
    ssize_t length;

    until_end();
    length = read(workload.exec_error, problem, sizeof problem - 1);
    problem[length > 0 ? length : 0] = 0;
    return *problem ? problem : NULL;
}

/* Processes that it has left behind must not run during the next run, nor be in the trace. */
static void warm_up_ended(void)
{
    const char *problem = end_run();

    descendants_kill();
    if (problem) {
        channel_send_error("can't run %s in the guest: %s", workload.program, problem);
        be_ready_for_another();
    } else if (!workload.warm_ups) { /* it was stopped */
        const struct mt_exit report = { .signal = SIGKILL };

        channel_send(MT_FRAME_EXIT, &report, sizeof report);
        be_ready_for_another();
    } else {
        close_all();
        workload.warm_ups--;
        begin_run();
    }
}

void workload_run(const struct mt_run *run)
{
    struct request request;
    struct user user;

    if (!request_parse(run, &request)) {
        channel_send_error("a malformed request to run a workload");
    } else if (workload.phase != PHASE_NONE) {
        channel_send_error("a workload is running already");
    } else {
        reset_workload();
        if (check_request(&request, &user)) {
            if (!(run->flags & MT_RUN_WITH_IDS))
                request_add_user(&request, &user);
            workload.request = request;
            workload.user = user;
            workload.warm_ups = run->warm_ups;
            begin_run();
            return;
        }
    }
    request_free(&request);
}

void workload_enter(void)
{
    if (workload.phase != PHASE_READY)
        return;
    begin_tracing_clock();
    if (workload.speaks) {
        MEMORY_TRACER_MARKER(MT_AGENT_START_MAGIC);
        (void)!write(workload.out, "\n", 1);
        if (workload.said_stop) { /* it hasn't waited for us */
            end_tracing(false);
            report_traced();
        }
    } else {
        (void)!write(workload.go, "g", 1);
    }
    until_begin(&workload.request, &workload.user, workload.pid);
}

bool workload_is_executed(void)
{
    struct pollfd exec_error = { .fd = workload.exec_error, .events = POLLIN };

    /* execve has closed its other end, and nothing was written to it. */
    return poll(&exec_error, 1, 0) == 1 && !(exec_error.revents & POLLIN);
}

void workload_resize(const struct mt_window *window)
{
    if (workload.request.run.flags & MT_RUN_TERMINAL)
        stdio_resize(workload.out, window);
}

bool workload_is_traced(void)
{
    return workload.phase == PHASE_TRACED;
}

void workload_stop(void)
{
    if (workload.phase == PHASE_NONE)
        return;
    workload.warm_ups = 0;
    until_end();
    descendants_kill();
}

/* Passes on what there is to read. Returns false at the end of the stream. */
static bool forward(int fd, uint32_t type)
{
    char bytes[64 * 1024];

    for (;;) {
        ssize_t n = read(fd, bytes, sizeof bytes);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 && errno == EAGAIN;
        if (type == MT_FRAME_STDOUT && workload.speaks) {
            speech_feed(bytes, (size_t)n);
            report_traced();
        } else {
            channel_send(type, bytes, (size_t)n);
        }
    }
}

static void ended(int status)
{
    bool until_succeeded = until_has_succeeded();
    const char *problem;

    /* Its last words may be in the pseudo-terminal still, "Stop tracing" among them. */
    if (workload.speaks && workload.out >= 0)
        forward(workload.out, MT_FRAME_STDOUT);
    end_tracing(workload.speaks);
    report_traced();
    if (workload.out >= 0)
        forward(workload.out, MT_FRAME_STDOUT);
    if (workload.speaks)
        speech_end();
    if (workload.err >= 0)
        forward(workload.err, MT_FRAME_STDERR);
    problem = end_run();
    if (problem) {
        channel_send_error("can't run %s in the guest: %s", workload.program, problem);
    } else {
        struct mt_exit report = {
            .timed_out = workload.timed_out,
            .signal = WIFSIGNALED(status) ? (uint32_t)WTERMSIG(status) : 0,
            .status = WIFEXITED(status) ? (uint32_t)WEXITSTATUS(status) : 0,
            .out_of_memory = (uint32_t)(memory_kills() - workload.memory_kills),
            .until_succeeded = until_succeeded,
            .stdin_taken = stdin_taken(),
        };
        channel_send(MT_FRAME_EXIT, &report, sizeof report);
    }
    be_ready_for_another();
}

/* Lowers *timeout_ms so that we wake up at `ns` (0: never). */
static void wake_at(int64_t ns, int *timeout_ms)
{
    int64_t left_ms = (ns - monotonic_ns()) / 1000000 + 1;

    if (left_ms < 0)
        left_ms = 0;
    if (ns && (*timeout_ms < 0 || left_ms < *timeout_ms))
        *timeout_ms = left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}

int workload_poll_fds(int fds[2], int *timeout_ms)
{
    int count = 0;

    if (workload.phase == PHASE_NONE)
        return 0;
    if (workload.out >= 0)
        fds[count++] = workload.out;
    if (workload.err >= 0)
        fds[count++] = workload.err;
    wake_at(workload.deadline_ns, timeout_ms);
    wake_at(until_next_ns(), timeout_ms);
    return count;
}

static void time_is_up(void)
{
    if (!workload.speaks &&
        !workload_is_executed()) { /* on a busy machine that may take a while: its time begins again */
        workload.deadline_ns = monotonic_ns() + workload.timeout_ms * 1000000ll;
        return;
    }
    workload.timed_out = true;
    workload_stop();
    end_tracing(false);
}

void workload_progress(void)
{
    int status;
    pid_t pid;

    if (workload.phase != PHASE_NONE) {
        if (workload.out >= 0 && !forward(workload.out, MT_FRAME_STDOUT))
            close_fd(&workload.out);
        if (workload.err >= 0 && !forward(workload.err, MT_FRAME_STDERR))
            close_fd(&workload.err);
        if (until_has_succeeded())
            workload.deadline_ns = 0; /* it ends already */
        if (workload.deadline_ns && monotonic_ns() >= workload.deadline_ns)
            time_is_up();
        until_progress();
    }
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (workload.phase == PHASE_NONE)
            continue;
        if (pid != workload.pid)
            until_child_ended(pid, status);
        else if (workload.phase == PHASE_WARMING_UP)
            warm_up_ended();
        else
            ended(status);
    }
}
