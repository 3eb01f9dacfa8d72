/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Serves the runner: receives its frames, acts on them, and looks after the workload meanwhile. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"

#define NOBODY_THERE_MS 200
/* What the agent does while the workload is traced is in the trace. So it does as little as possible: it waits this
 * long for more output before it passes it on. */
#define LET_IT_SETTLE_US 1000

static bool is_guest; /* this machine is not the runner's own */

static uint64_t running_us(void)
{
    unsigned long long user, nice_, system, idle, iowait, irq, softirq;
    FILE *file = fopen("/proc/stat", "re");
    uint64_t ticks = 0;

    if (file && fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu", &user, &nice_, &system, &idle, &iowait, &irq,
                       &softirq) == 7)
        ticks = user + nice_ + system + iowait + irq + softirq;
    if (file)
        fclose(file);
    return ticks * 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

static void greet(void)
{
    struct mt_hello_reply reply = { .version = MT_PROTOCOL_VERSION, .running_us = running_us() };
    struct utsname names;

    uname(&names);
    channel_send2(MT_FRAME_HELLO_REPLY, &reply, sizeof reply, names.release, strlen(names.release) + 1);
}

static void hello(const struct mt_hello *hello)
{
    if (hello->wall_clock_ns) {
        struct timespec now = { .tv_sec = hello->wall_clock_ns / 1000000000,
                                .tv_nsec = hello->wall_clock_ns % 1000000000 };
        clock_settime(CLOCK_REALTIME, &now);
    }
    greet();
}

/*
 * Before a snapshot: what isn't needed is dropped, and free memory is touched once, so that the kernel clears it: zero
 * pages take no room in the snapshot and no time to load.
 */
static void settle(void)
{
    FILE *file;
    pid_t pid;

    sync();
    file = fopen("/proc/sys/vm/drop_caches", "we");
    if (file) {
        fputs("3\n", file);
        fclose(file);
    }
    pid = fork();
    if (pid == 0) { /* a child: its memory is freed in any case, and if memory runs out, the child is killed */
        struct sysinfo memory;
        size_t spare = 48 << 20;

        sysinfo(&memory);
        size_t size = (size_t)memory.freeram * memory.mem_unit;
        if (size > spare)
            mmap(NULL, size - spare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        _exit(0);
    }
    if (pid > 0)
        waitpid(pid, NULL, 0);
    channel_send(MT_FRAME_OK, NULL, 0);
}

/* The NUL-terminated string at `offset` of a payload, or NULL. */
static const char *string_at(const struct mt_frame *frame, const uint8_t *payload, size_t offset)
{
    if (frame->length <= offset || payload[frame->length - 1])
        return NULL;
    return (const char *)payload + offset;
}

/* A request that is too short or makes no sense is ignored: the port may carry anything. */
static void handle(const struct mt_frame *frame, const uint8_t *payload)
{
    union {
        struct mt_hello hello;
        struct mt_file file;
        struct mt_run run;
        struct mt_view view;
        struct mt_window window;
        struct mt_fetch fetch;
    } head = { 0 };
    const char *text;

    memcpy(&head, payload, frame->length < sizeof head ? frame->length : sizeof head);
    switch (frame->type) {
    case MT_FRAME_HELLO:
        if (frame->length >= sizeof head.hello)
            hello(&head.hello);
        break;
    case MT_FRAME_STAT:
        text = string_at(frame, payload, 0);
        if (text)
            files_stat(text);
        break;
    case MT_FRAME_FILE:
        text = string_at(frame, payload, sizeof head.file);
        if (text)
            files_begin(&head.file, text);
        break;
    case MT_FRAME_UNPACK:
        text = string_at(frame, payload, 0);
        if (text && strlen(text) + 1 < frame->length)
            unpack(text, text + strlen(text) + 1);
        break;
    case MT_FRAME_DATA:
        files_append(payload, frame->length);
        break;
    case MT_FRAME_RUN:
        if (frame->length >= sizeof head.run)
            workload_run(&head.run);
        break;
    case MT_FRAME_STDIN:
        stdin_receive(payload, frame->length);
        break;
    case MT_FRAME_WINDOW:
        if (frame->length >= sizeof head.window)
            workload_resize(&head.window);
        break;
    case MT_FRAME_VIEW:
        if (frame->length >= sizeof head.view && is_guest)
            view_make(&head.view);
        break;
    case MT_FRAME_FINISH:
        descendants_kill();
        view_finish();
        break;
    case MT_FRAME_FETCH:
        text = string_at(frame, payload, sizeof head.fetch);
        if (text)
            files_fetch(&head.fetch, text);
        break;
    case MT_FRAME_STRINGS:
        strings_append(payload, frame->length);
        break;
    case MT_FRAME_ENTER:
        workload_enter();
        break;
    case MT_FRAME_STOP:
        workload_stop();
        break;
    case MT_FRAME_SETTLE:
        settle();
        break;
    case MT_FRAME_RENEW:
        drive_renew_agent();
        break;
    default:
        break;
    }
}

void agent_serve(int port, bool once, bool resumed)
{
    sigset_t signals;
    int children;

    is_guest = !once;
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    children = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* processes that the workload leaves behind become our children */
    channel_open(port);
    if (resumed)
        greet();
    for (;;) {
        struct pollfd polled[5] = {
            { .fd = channel_fd(), .events = POLLIN },
            { .fd = children, .events = POLLIN },
        }, *input = polled + 2;
        struct signalfd_siginfo info;
        int fds[2], timeout_ms = -1, count = workload_poll_fds(fds, &timeout_ms);

        for (int i = 0; i < count; i++)
            polled[3 + i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
        stdin_poll(input);
        if (poll(polled, 3 + (nfds_t)count, timeout_ms) < 0 && errno != EINTR)
            return;
        if (workload_is_traced())
            usleep(LET_IT_SETTLE_US);
        /* Both are done whatever has woken us, so that a traced run is the same whether a child's end comes before or
         * after the last of its output. */
        (void)!read(children, &info, sizeof info);
        workload_progress();
        stdin_progress(input);
        bool gone = polled[0].revents & POLLIN ? !channel_receive(handle) : polled[0].revents & POLLHUP;
        if (gone && once) {
            descendants_kill();
            return;
        }
        if (gone) /* another runner may come */
            usleep(NOBODY_THERE_MS * 1000);
    }
}
