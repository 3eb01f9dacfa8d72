/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a pipe can do on one core: writes 4 GiB in pieces of 64 KiB, as memory_tracer does, to a reader with a buffer of
 * 1 MiB, both on the last CPU (the first one being the guest's, on a machine with two). Prints GB/s and M records/s: no
 * run with a FIFO can be faster.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TOTAL (UINT64_C(4) << 30)
#define PIECE (64 * 1024)
#define BUFFER (1024 * 1024)

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(void)
{
    static char ring[BUFFER], buffer[BUFFER];
    double began = now_s(), elapsed;
    cpu_set_t last;
    int ends[2];

    CPU_ZERO(&last);
    CPU_SET((size_t)sysconf(_SC_NPROCESSORS_ONLN) - 1, &last);
    sched_setaffinity(0, sizeof last, &last);
    if (pipe(ends))
        return 1;
    fcntl(ends[1], F_SETPIPE_SZ, BUFFER);
    for (int i = 0; i < BUFFER; i++)
        ring[i] = (char)i;
    if (fork() == 0) {
        close(ends[1]);
        while (read(ends[0], buffer, sizeof buffer) > 0)
            ;
        _exit(0);
    }
    close(ends[0]);
    for (uint64_t sent = 0; sent < TOTAL; sent += PIECE)
        if (write(ends[1], ring + sent % BUFFER, PIECE) != PIECE)
            return 1;
    close(ends[1]);
    wait(NULL);
    elapsed = now_s() - began;
    printf("%.2f GB/s, %.0f M records/s\n", (double)TOTAL / 1e9 / elapsed, (double)TOTAL / 16e6 / elapsed);
    return 0;
}
