/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two threads, each pinned to a vCPU of its own, add to the same two words in turns. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stddef.h>

#define TURNS 200

static volatile long turn, sums[2];

static void *take_turns(void *number)
{
    size_t me = (size_t)number;
    cpu_set_t cpus;

    CPU_ZERO(&cpus);
    CPU_SET(me, &cpus);
    sched_setaffinity(0, sizeof cpus, &cpus);
    for (int i = 0; i < TURNS; i++) {
        while (turn % 2 != (long)me)
            sched_yield();
        sums[me] = sums[1 - me] + 1;
        turn++;
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[2];

    for (size_t i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, take_turns, (void *)i);
    for (size_t i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    return sums[1] != 2 * TURNS;
}
