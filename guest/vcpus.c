/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tells the tracer which virtual CPU is which. */
#define _GNU_SOURCE
#include <sched.h>
#include <unistd.h>

#include "agent.h"

/* MT_VCPU_MARKERS functions of 8 bytes each: a marker (the 7-byte NOP of roi.h) and a return. */
#define MARKER_FUNCTION_BYTES 8
#define TEXT(number) TEXT_OF(number)
#define TEXT_OF(number) #number
/* clang-format off */
__asm__(".pushsection .text\n"
        "vcpu_markers:\n"
        "\t.set number, 0\n"
        "\t.rept " TEXT(MT_VCPU_MARKERS) "\n"
        "\t.byte 0x0f, 0x1f, 0x80\n"
        "\t.long " TEXT(MT_VCPU_MARKER_MAGIC) " + number\n"
        "\tret\n"
        "\t.set number, number + 1\n"
        "\t.endr\n"
        ".popsection");
/* clang-format on */
extern const char vcpu_markers[] __attribute__((visibility("hidden")));

void vcpus_tell(void)
{
    long count = sysconf(_SC_NPROCESSORS_CONF);
    cpu_set_t before, one;

    if (sched_getaffinity(0, sizeof before, &before))
        return;
    for (int round = 0; round < 2; round++)
        for (long i = 0; i < count && i < MT_VCPU_MARKERS; i++) {
            CPU_ZERO(&one);
            CPU_SET((size_t)i, &one);
            if (!sched_setaffinity(0, sizeof one, &one))
                ((void (*)(void))(vcpu_markers + i * MARKER_FUNCTION_BYTES))();
        }
    sched_setaffinity(0, sizeof before, &before);
}
