/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Regions of interest: 500 short ones close together, then one after a long while outside. Inside, each element of the
 * array is incremented once per region (1002 accesses in all); outside, much more often. Regions are nested, too.
 */
#include <stdbool.h>
#include <string.h>

#include <memory_tracer/roi.h>

#include "speak.h"

#define ELEMENTS 100
#define LONG_WHILE (20 * 1000 * 1000) /* increments: enough for the plugin to stop being called meanwhile */

static volatile int array[ELEMENTS];

static void increment(void)
{
    for (int i = 0; i < ELEMENTS; i++)
        array[i]++;
}

int main(int argc, char **argv)
{
    bool mark = argc < 2 || strcmp(argv[1], "unmarked");

    say_ready(array, sizeof *array, ELEMENTS);
    increment();
    for (int region = 0; mark && region < 500; region++) {
        MEMORY_TRACER_ROI_BEGIN();
        increment();
        MEMORY_TRACER_ROI_END();
        increment();
    }
    MEMORY_TRACER_ROI_END(); /* one too many: it is ignored */
    for (int i = 0; i < LONG_WHILE; i++)
        array[i % ELEMENTS]++;
    if (mark) {
        MEMORY_TRACER_ROI_BEGIN();
        MEMORY_TRACER_ROI_BEGIN();
        MEMORY_TRACER_ROI_END();
        increment(); /* still in the outer one */
        MEMORY_TRACER_ROI_END();
    }
    increment();
    say_stop();
    return 0;
}
