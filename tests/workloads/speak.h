/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What workloads that are tested say: where the memory is whose accesses are known. */
#ifndef TESTS_WORKLOADS_SPEAK_H
#define TESTS_WORKLOADS_SPEAK_H

#include <stdio.h>
#include <stdlib.h>

static inline void say_ready(const volatile void *array, size_t element_bytes, size_t elements)
{
    printf("-----begin workload info-----\n%p %zu %zu\n-----end workload info-----\n", (void *)array, element_bytes,
           elements);
    printf("Ready to trace. Press enter to continue\n");
    fflush(stdout);
    getchar();
}

static inline void say_stop(void)
{
    printf("Stop tracing\n");
    fflush(stdout);
}

#endif
