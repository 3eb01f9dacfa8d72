/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * usage: workload_markers MODE
 *
 * Executes markers that a workload should not execute, or in the wrong order, and increments a word at 0x720000000 1000
 * times.
 */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory_tracer/roi.h>

#define ADDRESS 0x720000000
#define TIMES 1000
#define VCPU_MARKER 0x6d746305 /* src/protocol/frames.h: the agent's */

static volatile int *word;

static void increment(int times)
{
    for (int i = 0; i < times; i++)
        (*word)++;
}

static void stop_and_start(void)
{
    for (int i = 0; i < TIMES / 2; i++) {
        MEMORY_TRACER_STOP();
        increment(1);
        MEMORY_TRACER_START();
        increment(1);
    }
}

/* A child is killed in a region. */
static void kill_inside(void)
{
    if (!fork()) {
        MEMORY_TRACER_ROI_BEGIN();
        raise(SIGKILL);
    }
    wait(NULL);
    increment(TIMES);
    MEMORY_TRACER_ROI_BEGIN();
    MEMORY_TRACER_ROI_END();
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";

    word = mmap((void *)ADDRESS, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (word == MAP_FAILED)
        return 2;
    if (!strcmp(mode, "stop")) {
        MEMORY_TRACER_STOP();
        increment(TIMES);
    } else if (!strcmp(mode, "start")) {
        for (int i = 0; i < TIMES; i++)
            MEMORY_TRACER_START();
        increment(TIMES);
    } else if (!strcmp(mode, "stop_and_start")) {
        stop_and_start();
    } else if (!strcmp(mode, "killed_inside")) {
        kill_inside();
    } else if (!strcmp(mode, "never_ended")) {
        MEMORY_TRACER_ROI_BEGIN();
        MEMORY_TRACER_ROI_BEGIN();
        increment(TIMES);
    } else if (!strcmp(mode, "vcpu")) {
        for (int i = 0; i < TIMES; i++)
            MEMORY_TRACER_MARKER(VCPU_MARKER);
        increment(TIMES);
    } else {
        return 2;
    }
    return 5;
}
