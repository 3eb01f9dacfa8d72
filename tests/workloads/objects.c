/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory of all kinds, each of which is incremented a known number of times: "object REGION BEGIN END INCREMENTS TID
 * NAME", BEGIN and END of what is touched. Before it ends, it prints what it has mapped ("maps ..."). usage: objects
 * FILE, which is mapped. With a second word it waits for a line on standard input first.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define INTS 1024
#define BYTES (INTS * sizeof(int))
#define LARGE (1u << 20)
#define PAGE_BYTES 4096

int objects_zeroes[INTS];
int objects_data[INTS] = { 1 };

/* One load and one store each; on a stack, it loads its return address, too. */
static __attribute__((noinline)) void increment(int *words, int times)
{
    for (int i = 0; i < times; i++)
        __asm__ volatile("incl %0" : "+m"(words[i % INTS]));
}

static void say(const char *region, const int *words, int times, int tid, const char *name)
{
    char line[512];
    int length = snprintf(line, sizeof line, "object %s %" PRIxPTR " %" PRIxPTR " %d %d %s\n", region, (uintptr_t)words,
                          (uintptr_t)(words + INTS), times, tid, name);

    if (write(STDOUT_FILENO, line, (size_t)length) != length)
        exit(1);
}

static void touch(const char *region, int *words, int times, const char *name)
{
    increment(words, times);
    say(region, words, times, gettid(), name);
}

static const char *of(const char *what, int number)
{
    static __thread char name[64];

    snprintf(name, sizeof name, "%s of %d", what, number);
    return name;
}

static void touch_stack(int times)
{
    int words[INTS];

    touch("stack", words, times, of("stack", gettid()));
}

static void *run_thread(void *times)
{
    touch_stack((int)(intptr_t)times);
    return NULL;
}

static void start_threads(void)
{
    pthread_t threads[3];

    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, run_thread, (void *)(intptr_t)(200 + i));
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}

static void *map(size_t bytes, int flags, int fd, off_t offset)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, offset);

    if (memory == MAP_FAILED)
        exit(1);
    return memory;
}

static void touch_mappings(const char *path)
{
    int fd = open(path, O_RDWR);
    int *private = map(2 * PAGE_BYTES, MAP_PRIVATE, fd, PAGE_BYTES), *shared = map(PAGE_BYTES, MAP_SHARED, fd, 0);
    int *large = malloc(LARGE);
    int *moved = map(16 * PAGE_BYTES, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    touch("file", private, 300, path);
    touch("shared", shared, 310, path);
    touch("anonymous", large, 320, "*");
    moved = mremap(moved, 16 * PAGE_BYTES, 4 * LARGE, MREMAP_MAYMOVE);
    touch("anonymous", moved + LARGE / sizeof(int), 330, "*");
    mprotect(moved + INTS, PAGE_BYTES, PROT_READ); /* splits the mapping */
    touch("anonymous", moved + 4 * INTS, 340, "*");
    munmap(moved, PAGE_BYTES);
    close(fd);
}

/* A heap that grows, shrinks and grows again. */
static void touch_heap(void)
{
    int *words = malloc(BYTES);
    char *end = sbrk(0);

    touch("heap", words, 400, of("heap", getpid()));
    if (sbrk(64 * PAGE_BYTES) != end || sbrk(-60 * PAGE_BYTES) == (void *)-1)
        exit(1);
    end = sbrk(0);
    end -= (uintptr_t)end % PAGE_BYTES + 2 * PAGE_BYTES;
    touch("heap", (int *)(void *)end, 410, of("heap", getpid()));
}

static void touch_as_child(int *shared)
{
    touch("shared", shared, 500, "shared memory *");
    touch("heap", malloc(BYTES), 510, of("heap", getpid()));
    touch("variable", objects_zeroes, 520, "objects_zeroes");
    touch_stack(530);
    _exit(0);
}

static void print_maps(void)
{
    static char text[65536], line[4096];
    int fd = open("/proc/self/maps", O_RDONLY), length = 0, more;

    while ((more = (int)read(fd, text + length, sizeof text - 1 - (size_t)length)) > 0)
        length += more;
    for (char *at = strtok(text, "\n"); at; at = strtok(NULL, "\n")) {
        int bytes = snprintf(line, sizeof line, "maps %s\n", at);

        if (write(STDOUT_FILENO, line, (size_t)bytes) != bytes)
            exit(1);
    }
}

/* What is there before tracing begins. */

static pthread_barrier_t barrier;

static void *wait_in_thread(void *unused)
{
    int words[INTS];

    say("stack", words, 620, gettid(), of("stack", gettid()));
    pthread_barrier_wait(&barrier); /* it is told */
    pthread_barrier_wait(&barrier); /* it is traced */
    increment(words, 620);
    pthread_barrier_wait(&barrier);
    return unused;
}

static void say_line(const char *line)
{
    if (write(STDOUT_FILENO, line, strlen(line)) != (ssize_t)strlen(line))
        exit(1);
}

/* As a workload does that says itself when to trace. */
static int work_when_told(void)
{
    int *heap = malloc(BYTES), *large = malloc(LARGE), pid = getpid();
    pthread_t thread;
    char line[64];

    pthread_barrier_init(&barrier, NULL, 2);
    say_line("-----begin workload info-----\n");
    snprintf(line, sizeof line, "pid %d\n", pid);
    say_line(line);
    say("variable", objects_data, 600, pid, "objects_data");
    say("heap", heap, 610, pid, of("heap", pid));
    say("anonymous", large, 630, pid, "*");
    pthread_create(&thread, NULL, wait_in_thread, NULL);
    pthread_barrier_wait(&barrier);
    print_maps();
    say_line("-----end workload info-----\nReady to trace. Press enter to continue\n");
    if (read(STDIN_FILENO, line, 1) != 1)
        return 1;
    increment(objects_data, 600);
    increment(heap, 610);
    increment(large, 630);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    say_line("Stop tracing\n");
    return 0;
}

int main(int argc, char **argv)
{
    int *shared = map(PAGE_BYTES, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    char pid[64];

    if (argc < 2)
        return work_when_told();
    snprintf(pid, sizeof pid, "pid %d\n", getpid());
    say_line(pid);
    touch("variable", objects_zeroes, 100, "objects_zeroes");
    touch("variable", objects_data, 110, "objects_data");
    touch_stack(120);
    start_threads();
    touch_mappings(argv[1]);
    touch_heap();
    touch("shared", shared, 490, "shared memory *");
    if (!fork())
        touch_as_child(shared);
    wait(NULL);
    print_maps();
    return 0;
}
