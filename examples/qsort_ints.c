/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A workload: sorts pseudo-random ints with the C library's qsort. usage: qsort_ints [COUNT] (default 2^20) */
#include <stdint.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;

    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    size_t count = argc > 1 ? strtoull(argv[1], NULL, 0) : 1u << 20;
    int *array = malloc(count * sizeof *array);
    uint32_t state = 1;

    if (!array)
        return 1;
    for (size_t i = 0; i < count; i++) {
        state ^= state << 13; /* xorshift32 (Marsaglia, 2003) */
        state ^= state >> 17;
        state ^= state << 5;
        array[i] = (int)state;
    }
    qsort(array, count, sizeof *array, compare);
    for (size_t i = 1; i < count; i++)
        if (array[i - 1] > array[i])
            return 1;
    return 0;
}
