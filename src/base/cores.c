/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How many of this machine's processor cores we may use: see cores.h. */
#define _GNU_SOURCE
#include "cores.h"

#include <errno.h>
#include <glib.h>
#include <sched.h>

#define CORES_MAX 65536
#define PATIENCE_MAX 16

unsigned cores_usable(void)
{
    /* The kernel refuses a set that is smaller than its own, whose size nothing tells. */
    for (int size = 1024; size <= CORES_MAX; size *= 2) {
        cpu_set_t *set = CPU_ALLOC((size_t)size);
        bool known = set && !sched_getaffinity(0, CPU_ALLOC_SIZE(size), set);
        int reason = errno, count = known ? CPU_COUNT_S(CPU_ALLOC_SIZE(size), set) : 0;

        CPU_FREE(set);
        if (known)
            return (unsigned)MAX(count, 1);
        if (reason != EINVAL)
            break;
    }
    return MAX(g_get_num_processors(), 1);
}

unsigned cores_patience(unsigned vcpus, bool one_thread)
{
    unsigned cores = one_thread ? 1 : cores_usable();

    return CLAMP((vcpus + cores - 1) / cores, 1, PATIENCE_MAX);
}
