/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processes and threads of all kinds, each of which increments a word of a page of its own, a known number of times,
 * and says so: "page pid tid increments" (pid and tid as the kernel itself has them).
 *
 * With a number: that many processes, one after the other, which all have the same pid if the user may choose pids.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES ((char *)0x730000000)
#define PAGE_BYTES 4096
#define MAX_PAGES 64

static void map(int flags)
{
    if (mmap(PAGES, MAX_PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != PAGES)
        exit(1);
}

static void increment(int page, int times)
{
    volatile int *word = (int *)(PAGES + page * PAGE_BYTES);

    for (int i = 0; i < times; i++)
        ++*word;
}

/* One write, so that lines of several processes don't mix. */
static void say(int page, int pid, int tid, int times)
{
    char line[80];
    int length = snprintf(line, sizeof line, "%d %d %d %d\n", page, pid, tid, times);

    if (write(STDOUT_FILENO, line, (size_t)length) != length)
        exit(1);
}

static void work(int page, int times)
{
    increment(page, times);
    say(page, getpid(), gettid(), times);
}

static void fork_some(int page)
{
    for (int i = 0; i < 8; i++)
        if (!fork()) {
            work(page + i, 100 + i);
            _exit(0);
        }
    while (wait(NULL) > 0)
        ;
}

static void *thread(void *data)
{
    int page = (int)(long)data;

    work(page, 200 + page);
    return NULL;
}

static void start_threads(int page)
{
    pthread_t threads[4];

    for (long i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, thread, (void *)(page + i));
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

static void execute(int page, int times)
{
    char first[16], second[16];

    snprintf(first, sizeof first, "%d", page);
    snprintf(second, sizeof second, "%d", times);
    execl("/proc/self/exe", "again", first, second, (char *)NULL);
    _exit(1);
}

static void *execute_in_thread(void *data)
{
    int page = (int)(long)data;

    work(page, 300);
    execute(page + 1, 301); /* it becomes the process's first thread */
    return NULL;
}

static void exec_in_thread(int page)
{
    if (!fork()) {
        pthread_t other;

        pthread_create(&other, NULL, execute_in_thread, (void *)(long)page);
        pause();
    }
    wait(NULL);
}

static void vfork_and_exec(int page)
{
    if (!vfork())
        execute(page, 400);
    wait(NULL);
}

/* Its pid is 1 in a namespace of its own, and another one for everybody else. */
static void in_namespace(int page)
{
    int child;

    if (unshare(CLONE_NEWPID))
        return; /* an ordinary user may not */
    child = fork();
    if (!child) {
        increment(page, 500);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    say(page, child, child, 500);
}

static void same_pid(int times)
{
    for (int i = 0; i < times; i++) {
        int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY), child;

        if (fd < 0 || write(fd, "20000", 5) != 5)
            exit(1);
        close(fd);
        child = fork();
        if (!child) {
            increment(i % MAX_PAGES, 1);
            _exit(0);
        }
        waitpid(child, NULL, 0);
        say(i % MAX_PAGES, child, child, 1);
    }
}

int main(int argc, char **argv)
{
    if (!strcmp(argv[0], "again")) {
        map(MAP_PRIVATE);
        work(atoi(argv[1]), atoi(argv[2]));
        return 0;
    }
    map(MAP_SHARED);
    if (argc > 1) {
        same_pid(atoi(argv[1]));
        return 0;
    }
    work(0, 50);
    fork_some(1);
    start_threads(10);
    exec_in_thread(20);
    vfork_and_exec(30);
    in_namespace(40);
    work(50, 51);
    return 0;
}
