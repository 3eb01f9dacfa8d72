/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copies 5000 bytes with `rep movsb`: one store to each byte of the target. */
#include <string.h>

#include "speak.h"

int main(void)
{
    static char source[5000], target[5000];
    void *from = source, *to = target;
    size_t count = sizeof target;

    memset(source, 1, sizeof source);
    memset(target, 2, sizeof target);
    say_ready(target, 1, sizeof target);
    __asm__ volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
    say_stop();
    return 0;
}
