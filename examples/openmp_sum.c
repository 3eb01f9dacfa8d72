/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A workload: several threads add up an array of doubles, again and again.
 * usage: openmp_sum [ELEMENTS [TIMES]] (default 2^16, 20 times); OMP_NUM_THREADS says how many threads */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    size_t elements = argc > 1 ? strtoull(argv[1], NULL, 0) : 1 << 16;
    size_t times = argc > 2 ? strtoull(argv[2], NULL, 0) : 20;
    double *array = malloc(elements * sizeof *array), total = 0;

    if (!array)
        return 1;
    for (size_t i = 0; i < elements; i++)
        array[i] = (double)i;
    for (size_t round = 0; round < times; round++) {
#pragma omp parallel for reduction(+ : total)
        for (size_t i = 0; i < elements; i++)
            total += array[i];
    }
    printf("%d threads: %.0f\n", omp_get_max_threads(), total);
    return 0;
}
