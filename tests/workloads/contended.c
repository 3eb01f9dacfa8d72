/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Several threads do the same to three words at WORDS, at the same time, TIMES each: lock inc; one more by cmpxchg, as
 * often as it takes; lock neg. */
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>

#include <memory_tracer/roi.h>

#define WORDS UINT64_C(0x200000000)
#define THREADS 4
#define TIMES 20000

static pthread_barrier_t barrier;

static void *work(void *unused)
{
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < TIMES; i++)
        __asm__ volatile("lock incl (%0)\n\t"
                         "mov $-1, %%eax\n"
                         "1:\tlea 1(%%rax), %%ecx\n\t"
                         "lock cmpxchgl %%ecx, 64(%0)\n\t"
                         "jne 1b\n\t"
                         "lock negl 128(%0)" ::"r"(WORDS)
                         : "eax", "ecx", "memory", "cc");
    return unused;
}

int main(void)
{
    volatile uint32_t *words =
        mmap((void *)WORDS, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    pthread_t threads[THREADS];

    if (words == MAP_FAILED)
        return 1;
    words[32] = 1;
    pthread_barrier_init(&barrier, NULL, THREADS);
    MEMORY_TRACER_ROI_BEGIN();
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, work, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    MEMORY_TRACER_ROI_END();
    return 0;
}
