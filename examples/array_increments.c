/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A workload whose accesses are known by construction: every element of an array of ints is incremented a number of
 * times, each increment being one load and one store.
 *
 * usage: array_increments                 10,000 elements, 5 times, in the workload protocol: each element is accessed
 *                                         exactly 10 times between "enter" and "Stop tracing"
 *        array_increments ELEMENTS TIMES  just does it
 */
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    int speaks = argc != 3;
    size_t elements = speaks ? 10000 : strtoull(argv[1], NULL, 0);
    size_t times = speaks ? 5 : strtoull(argv[2], NULL, 0);
    volatile int *array = calloc(elements, sizeof *array);

    if (!array || !elements)
        return 1;
    for (size_t i = 0; i < elements; i++)
        array[i] = (int)i; /* so that no page has to be faulted in later */
    if (speaks) {
        /* What the analysis tool gets as arguments: where the array is, the size of an element, their number. */
        printf("-----begin workload info-----\n%p %zu %zu\n-----end workload info-----\n", (void *)array, sizeof *array,
               elements);
        printf("Ready to trace. Press enter to continue\n");
        fflush(stdout);
        getchar();
    }
    for (size_t t = 0; t < times; t++)
        for (size_t i = 0; i < elements; i++)
            array[i]++;
    if (speaks) {
        printf("Stop tracing\n");
        fflush(stdout);
    }
    return 0;
}
