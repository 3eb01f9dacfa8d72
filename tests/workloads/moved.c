/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is at addresses of its own in each process, and so is the C library: says its pid, where its function touch() is, and
 * where the library's lsearch(), and where the vDSO begins. It calls each of them.
 */
#include <search.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <time.h>
#include <unistd.h>

#define ELEMENTS 300

static volatile int array[ELEMENTS];

/* Its loads and stores have operands that tell where it is itself. */
__attribute__((noinline)) static void touch(void)
{
    for (int i = 0; i < ELEMENTS; i++)
        array[0]++;
}

static int compare(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

int main(int argc, char **argv)
{
    int now = personality(0xffffffff), list[64] = { 0 }, key = 1;
    struct timespec time;
    size_t count = 63;

    (void)argc;
    /* What the agent starts has no random addresses. */
    if (now & ADDR_NO_RANDOMIZE && personality((unsigned long)now & ~(unsigned long)ADDR_NO_RANDOMIZE) >= 0) {
        execv("/proc/self/exe", argv);
        return 1;
    }
    printf("%d %jx %jx %lx\n", getpid(), (uintmax_t)(uintptr_t)touch, (uintmax_t)(uintptr_t)lsearch,
           getauxval(AT_SYSINFO_EHDR));
    fflush(stdout);
    touch();
    clock_gettime(CLOCK_MONOTONIC, &time);
    lsearch(&key, list, &count, sizeof *list, compare);
    return 0;
}
