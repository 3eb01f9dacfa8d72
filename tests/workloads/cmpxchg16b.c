/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One successful `lock cmpxchg16b`, which QEMU emulates in a helper, on each of 1000 16-byte elements. */
#include <stdint.h>
#include <string.h>

#include "speak.h"

int main(void)
{
    static struct {
        _Alignas(16) uint64_t low, high;
    } elements[1000];

    memset(elements, 0, sizeof elements);
    say_ready(elements, sizeof elements[0], 1000);
    for (int i = 0; i < 1000; i++) {
        uint64_t low = 0, high = 0;

        __asm__ volatile("lock cmpxchg16b %0" : "+m"(elements[i]), "+a"(low), "+d"(high) : "b"(1ull), "c"(2ull) : "cc");
    }
    say_stop();
    return 0;
}
