/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * usage: workload_threads N
 *
 * N threads, each pinned to a vCPU of its own, increment disjoint parts of an array, 1000 elements each: each element
 * is incremented 100 times by its thread (200 accesses). Each part has pages of its own.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "speak.h"

#define PART 1024
#define USED 1000
#define ROUNDS 100
#define MAX_THREADS 16

static volatile int array[MAX_THREADS][PART] __attribute__((aligned(4096)));
static pthread_barrier_t barrier;

static void *increment(void *number)
{
    volatile int *part = array[(size_t)number];
    cpu_set_t cpus;

    CPU_ZERO(&cpus);
    CPU_SET((size_t)number, &cpus);
    sched_setaffinity(0, sizeof cpus, &cpus);
    pthread_barrier_wait(&barrier);
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < USED; i++)
            part[i]++;
    return NULL;
}

int main(int argc, char **argv)
{
    size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : (size_t)sysconf(_SC_NPROCESSORS_ONLN);
    pthread_t threads[MAX_THREADS];

    if (count < 1 || count > MAX_THREADS)
        return 2;
    /* An increment whose store faults is repeated from its load, and would count as three accesses. */
    for (size_t i = 0; i < count; i++)
        array[i][USED] = 0;
    pthread_barrier_init(&barrier, NULL, (unsigned)count + 1);
    say_ready(array, sizeof array[0][0], count * PART);
    for (size_t i = 0; i < count; i++)
        pthread_create(&threads[i], NULL, increment, (void *)i);
    pthread_barrier_wait(&barrier);
    for (size_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    say_stop();
    return 0;
}
