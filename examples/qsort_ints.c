/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A workload: sorts pseudo-random ints with the C library's qsort, other ones each time.
 * usage: qsort_ints [COUNT [TIMES]] (default 2^20, once) */
#include <stdint.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;

    return (x > y) - (x < y);
}

static void fill(int *array, size_t count, uint32_t *state)
{
    for (size_t i = 0; i < count; i++) {
        *state ^= *state << 13; /* xorshift32 (Marsaglia, 2003) */
        *state ^= *state >> 17;
        *state ^= *state << 5;
        array[i] = (int)*state;
    }
}

static int is_sorted(const int *array, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (array[i - 1] > array[i])
            return 0;
    return 1;
}

int main(int argc, char **argv)
{
    size_t count = argc > 1 ? strtoull(argv[1], NULL, 0) : 1u << 20;
    size_t times = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    int *array = malloc(count * sizeof *array);
    uint32_t state = 1;

    if (!array)
        return 1;
    for (; times; times--) {
        fill(array, count, &state);
        qsort(array, count, sizeof *array, compare);
        if (!is_sorted(array, count))
            return 1;
    }
    return 0;
}
